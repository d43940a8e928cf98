"""What `ingest_clickstream.py` loads, and the contenders: a module with a `load` each."""
