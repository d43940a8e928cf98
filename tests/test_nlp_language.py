import emoji
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_data

from nlp.irony import is_marked_ironic
from nlp.language import UNCODED, language, languages

SENTENCES = {
    "es": "La batería dura muy poco y el servicio no contesta.",
    "de": "Das Paket kam erst nach drei Wochen an, sehr schlecht.",
    "fr": "Le téléphone est arrivé cassé et personne ne répond.",
    "pt": "A tela é muito boa mas a bateria não dura nada.",
    "it": "Lo schermo è bellissimo ma la batteria dura poco.",
    "nl": "Het scherm is prachtig maar de batterij gaat niet lang mee.",
    "pl": "Ekran jest świetny, ale bateria szybko się rozładowuje.",
    "tr": "Ekran çok güzel ama pil çabuk bitiyor.",
    "ru": "Экран отличный, но батарея быстро садится.",
    "ar": "الشاشة رائعة لكن البطارية تنفد بسرعة.",
    "zh": "屏幕很好，但是电池很差。",
    "ja": "画面はきれいですが、電池が悪いです。",
    "ko": "화면은 좋지만 배터리가 나빠요.",
    "hi": "स्क्रीन बहुत अच्छी है लेकिन बैटरी खराब है।",
    "th": "หน้าจอดีมาก แต่แบตเตอรี่แย่",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_ordinary_sentences_are_told_from_english(code: str) -> None:
    assert language(SENTENCES[code]) == code


@pytest.mark.parametrize(
    "text",
    [
        "omg lol sooo good",
        "iphone 6s plus!!!",
        "gr8 thx",
        "Two Stars",
        "Samsung Galaxy Note 20 Ultra",
        "RT @juan_perez: best phone ever #hermoso https://t.co/abc",
        "👍👍👍",
        "",
    ],
)
def test_short_english_is_english_or_left_open(text: str) -> None:
    assert language(text) in ("en", "und")


def test_a_script_of_no_language_here_is_none() -> None:
    assert language("ⴰⵣⵓⵍ ⴼⵍⵍⴰⵡⵏ") == UNCODED


def test_links_handles_hashtags_and_numbers_say_nothing() -> None:
    plain = "Die Lieferung war viel zu spät"
    dressed = f"@bob https://great.example/the-best-and-this {plain} #thisisgreat 4you"
    assert languages([plain, dressed]) == ["de", "de"]


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_text_has_a_language(text: str) -> None:
    assert 2 <= len(language(text)) <= 3


@given(st.sampled_from(sorted(SENTENCES)), st.lists(st.sampled_from(["👍", "😡", "🎉"])))
@settings(deadline=None, max_examples=40)
def test_emoji_change_no_language(code: str, some: list[str]) -> None:
    assert all(map(emoji.is_emoji, some))
    assert language(f"{SENTENCES[code]} {''.join(some)}") == code


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("text/tweeteval_sentiment_val.parquet", "text"),
        ("text/vader_tweets_groundtruth.parquet", "text"),
        ("text/amazon_earphones_reviews.parquet", "ReviewBody"),
        ("text/support_chat_multidogo.parquet", "utterance"),
    ],
)
def test_real_english_is_hardly_ever_taken_for_another_language(name: str, column: str) -> None:
    texts = pd.read_parquet(real_data(name), columns=[column])[column].dropna()
    some = texts.sample(1000, random_state=0)
    lost = [code for code in languages(some) if code not in ("en", "und")]
    assert len(lost) <= 10


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Love waiting three weeks /s", True),
        ("Great battery #sarcasm", True),
        ("so happy #NOT!", True),
        ("What a day #irony https://t.co/x", True),
        ("works with and/s without", False),
        ("see https://a.example/s for more", False),
        ("#notification settings are fine", False),
        ("lovely 🙃", False),
    ],
)
def test_a_text_says_itself_that_it_is_sarcastic(text: str, *, marked: bool) -> None:
    assert is_marked_ironic(text) is marked
