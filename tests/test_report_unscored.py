import pandas as pd

from gpu_pipeline.report.unscored import unscored_languages, unscored_line


def texts(*rows: tuple[str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["language", "unscored"]).astype("str")


def test_texts_without_a_label_are_counted_by_language_and_told_in_one_line() -> None:
    rows = [("en", None)] * 5 + [("de", "language")] * 3 + [("fr", "language"), ("und", "empty")]
    found = unscored_languages(texts(*rows))
    assert list(found["language"]) == ["de", "fr", "und"]
    assert list(found["texts"]) == [3, 1, 1]
    assert list(found["share"]) == [0.3, 0.1, 0.1]
    assert unscored_line(found).startswith("5 texts (50.0%) have no sentiment and are left out")
    assert unscored_line(found).endswith(": de 3, fr 1, und 1.")
    more = unscored_languages(texts(*rows, ("pl", "language")))
    assert unscored_line(more).endswith(": de 3, fr 1, pl 1 and others.")


def test_where_all_have_a_label_nothing_is_said() -> None:
    found = unscored_languages(texts(("en", None)))
    assert (len(found), unscored_line(found)) == (0, "")
