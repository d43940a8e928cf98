"""The retail questions of `retail_questions.py`, and what answers them."""
