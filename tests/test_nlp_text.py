import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.text import normalise, windows

PIECES = [
    *(
        "@",
        "@user",
        "me@shop.com",
        "http",
        "https://",
        "www.",
        "&",
        "amp;",
        "&amp;",
        "&#38;",
        "lt;",
    ),
    *(
        " ",
        "\n",
        "\x00",
        "\x85",
        "\x1f",
        "\u200b",
        "\ufeff",
        "\ud83d",
        "\u0301",
        "e",
        "é",
        "r",
        ".",
    ),
    *(
        "&hellip",
        "\u037e",
        "\\u00",
        "41",
        "\\",
        '"',
        "#",
        "aB",
        "Cc",
        "!!!",
        ";",
        "\U0001f600",
        "_",
        "1",
    ),
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join))
def test_what_has_been_normalised_stays_as_it_is(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text())
def test_the_result_is_one_clean_line(text: str) -> None:
    found = normalise(text)
    assert found == " ".join(found.split())
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u200b\ufeff" for c in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tom &amp; Jerry &lt;3 &#39;yes&#39; &quot;so&quot;", "Tom & Jerry <3 'yes' \"so\""),
        ("caf&eacute; cafe\u0301", "café café"),
        ("&amp;amp; &amp;lt;3", "& <3"),
        ("AT&T", "AT&T"),
        ("@bob hi @Al_1!", "@user hi @user!"),
        ("(@bob) \u201c@bob\u201d -@bob", '(@user) "@user" -@user'),
        ("@zoe\u0301", "@user"),
        ("@q\u0301", "@user"),
        ("write to bob@shop.com, not @shop", "write to bob@shop.com, not @user"),
        ("b.o.b@shop", "b.o.b@shop"),
        ("a@b@c @@d @ e", "a@b@c @@d @ e"),
        ("see https://t.co/x?y=@z now", "see http now"),
        ("HTTP is not a link, www.shop.com/a is", "HTTP is not a link, http is"),
        ("http://a http://b", "http http"),
        ("a\x00b\x1fc\x7fd\x85e\u200bf\u202eg\ufeffh", "a b c d e f g h"),
        ("half a pair \ud83d of surrogates", "half a pair of surrogates"),
        ("  many\n\n\tspaces\u00a0here ", "many spaces here"),
        ("I \u2764\ufe0f it 👍🏽", "I red heart it thumbs up"),
        ("🇩🇪 and 👨\u200d👩\u200d👧", "Germany and family man woman girl"),
        ("Don\\u2019t\\u002c \\ud83d\\ude02", "Don't, face with tears of joy"),
        ('"\\""quoted\\"" twice"', '"quoted" twice"'),
        ("soooo coool!!!!!! 1000000 AAAA", "sooo coool!!! 1000000 AAA"),
        ("#TeamJacob #iPhone #well_done", "#Team Jacob #iPhone #well done"),
        ("", ""),
        ("\x00\n ", ""),
    ],
)
def test_a_text_becomes_what_the_model_was_trained_on(text: str, wanted: str) -> None:
    assert normalise(text) == wanted


@pytest.mark.parametrize("times", [1, 2, 3])
def test_text_that_was_escaped_up_to_three_times_is_read(times: int) -> None:
    text = "a < b & c"
    for _ in range(times):
        text = html.escape(text)
    assert normalise(text) == "a < b & c"


def test_a_text_that_is_made_to_be_slow_is_not() -> None:
    # A decoder that went on until nothing is left would read this 100,000 times.
    assert normalise("&" + "#38;" * 100_000).startswith("&#38;")


@given(st.integers(0, 300), st.integers(1, 64))
def test_windows_hold_every_token_once_in_order_and_none_is_too_long(count: int, size: int) -> None:
    tokens = list(range(count))
    found = [list(window) for window in windows(tokens, size)]
    assert [token for window in found for token in window] == tokens
    lengths = [len(window) for window in found]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert len(found) == max(1, -(-count // size))


def test_an_empty_text_is_one_empty_window() -> None:
    assert list(windows([], 8)) == [[]]
