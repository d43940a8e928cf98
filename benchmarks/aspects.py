"""Aspects beside keywords with the whole sentence's mood: what is found, and how it is judged.

`laptops`: SemEval-2014 task 4, laptops, training sentences (a Parquet file with sentence, aspect,
polarity). Polarity given the annotated term, by sentence (the peer), by clause, and by target if
the model knows targets; detection of the terms' categories. Terms were put into categories by
hand (aspect_data.py), all frequent ones and a sample of the rare ones: the rare ones are the
honest figure, since whoever writes a taxonomy has met the frequent ones. A mention counts as
wrong where it overlaps a term of another category, or no annotated term at all.

`planted`: sentences with one to three aspects of different moods, texts out of the synthetic
shop's sentences, and aspects side by side without a mark between. Pairs of (aspect, mood),
micro-F1.

`speed`: how many texts a second the finder goes through, on one core.

Run: python benchmarks/aspects.py [laptops planted speed] [--laptops FILE] [--model FOLDER]
"""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from aspect_data import FREQUENT, OF_SHOP, RARE, Planted, planted, run_on, shop_texts
from timing import machine

from nlp.aspects import Mention, Taxonomy, aspect_scores, find_aspects
from nlp.clauses import Span, clauses, sentences
from nlp.model import LABELS, SentimentModel
from nlp.run_ons import run_ons
from nlp.text import normalise

QUESTIONS = ("laptops", "planted", "speed")
PLANTED_TEXTS = 600
Pairs = set[tuple[int, str, int]]
Ints = npt.NDArray[np.int64]


def main() -> None:
    given = _arguments()
    print(machine())
    taxonomy = Taxonomy.load()
    model = SentimentModel.load(given.model)
    knows = "knows" if model.knows_targets else "does not know"
    print(f"model {model.version}, {knows} targets; {len(taxonomy.aspects)} aspects")
    rows = pq.read_table(given.laptops).to_pylist() if given.laptops else []
    if "laptops" in given.questions and rows:
        _show_polarity(model, taxonomy, rows)
        _show_detection(taxonomy, rows)
    if "planted" in given.questions:
        _show_planted(model, taxonomy)
    if "speed" in given.questions:
        _show_speed(taxonomy, [row["sentence"] for row in rows])


def _show_polarity(
    model: SentimentModel, taxonomy: Taxonomy, rows: Sequence[Mapping[str, str]]
) -> None:
    truth = np.array([LABELS.index(row["polarity"]) for row in rows])
    texts = [normalise(row["sentence"]) for row in rows]
    terms = [normalise(row["aspect"]) for row in rows]
    mixed = _mixed(texts, truth)
    parts = [_part_with(text, term, taxonomy) for text, term in zip(texts, terms, strict=True)]
    inside = [_clause_with(part, term, taxonomy) for part, term in zip(parts, terms, strict=True)]
    guesses = {
        "sentence (peer)": model.score(texts).argmax(1),
        "clause": model.score(inside).argmax(1),
    }
    if model.knows_targets:
        guesses["target in sentence"] = model.score(texts, about=terms).argmax(1)
        guesses["target in part"] = model.score(parts, about=terms).argmax(1)
        guesses["target in clause"] = model.score(inside, about=terms).argmax(1)
    majority = np.bincount(truth).max() / len(truth)
    print(f"\nlaptops: polarity of {len(rows):,} annotated terms; majority {majority:.3f}")
    print(f"{'':20}accuracy  macro-F1  without neutral  in {mixed.sum()} of mixed sentences")
    polar = truth != 1
    for way, guess in guesses.items():
        right = guess == truth
        # Between the two moods alone: a neutral guess on a polar term stays wrong.
        print(
            f"{way:20}{right.mean():8.3f}{_macro_f1(truth, guess):10.3f}"
            f"{right[polar].mean():17.3f}{right[mixed].mean():10.3f}"
        )


def _mixed(texts: Sequence[str], truth: Ints) -> npt.NDArray[np.bool_]:
    """Which rows belong to a sentence whose terms differ in mood."""
    moods: dict[str, set[int]] = {}
    for text, mood in zip(texts, truth.tolist(), strict=True):
        moods.setdefault(text, set()).add(mood)
    return np.array([len(moods[text]) > 1 for text in texts])


def _part_with(text: str, term: str, taxonomy: Taxonomy) -> str:
    """The sentence that the term stands in, of a run-on the part: what the product asks about."""
    for sentence in sentences(text):
        whole = text[sentence.start : sentence.end]
        at = whole.find(term)
        if at < 0:
            continue
        named = Span(at, at + len(term))
        others = [Span(found.start, found.end) for found in taxonomy.find(whole.lower())]
        apart = [each for each in others if each.end <= named.start or each.start >= named.end]
        for part in run_ons(whole, sorted([*apart, named])):
            if part.start <= at < part.end:
                return whole[part.start : part.end]
    return text


def _clause_with(part: str, term: str, taxonomy: Taxonomy) -> str:
    names = taxonomy.name_words | set(term.lower().split())
    at = part.find(term)
    for clause in clauses(part, names):
        if clause.start <= at < clause.end:
            return part[clause.start : clause.end]
    return part


def _macro_f1(truth: Ints, guess: Ints) -> float:
    of_class = []
    for label in range(3):
        both = ((truth == label) & (guess == label)).sum()
        of_class.append(2 * both / max(1, (truth == label).sum() + (guess == label).sum()))
    return float(np.mean(of_class))


def _show_detection(taxonomy: Taxonomy, rows: Sequence[Mapping[str, str]]) -> None:
    terms: dict[str, set[str]] = {}
    for row in rows:
        terms.setdefault(normalise(row["sentence"]), set()).add(normalise(row["aspect"]).lower())
    texts = list(terms)
    mentions = find_aspects(texts, taxonomy)
    by_text: dict[str, list[Mention]] = {text: [] for text in texts}
    for mention in mentions:
        by_text[texts[mention.text]].append(mention)
    found = sum(any(_overlap(m, t) for m in by_text[x]) for x in texts for t in terms[x])
    total = sum(map(len, terms.values()))
    print(f"\nlaptops: {found / total:.3f} of {total:,} annotated terms are touched by a mention")
    for name, gold in (("frequent terms", FREQUENT), ("rare terms", RARE)):
        print(f"{name:16} {_detection(by_text, terms, gold)}")
    outside = sum(not any(_overlap(m, t) for t in terms[x]) for x in texts for m in by_text[x])
    print(f"mentions that overlap no annotated term: {outside} of {len(mentions)}")


def _detection(
    by_text: Mapping[str, Sequence[Mention]],
    terms: Mapping[str, set[str]],
    gold: Mapping[str, str],
) -> str:
    right = wrong = missed = exact = 0
    for text, mentions in by_text.items():
        for term in terms[text] & gold.keys():
            aspects = {mention.aspect for mention in mentions if _overlap(mention, term)}
            hit = gold[term] in aspects
            right += hit
            missed += bool(gold[term]) and not hit
            wrong += len(aspects) - hit
            exact += bool(gold[term])
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return f"{exact:5} of a category: precision {precision:.3f} recall {recall:.3f} F1 {f1:.3f}"


def _overlap(mention: Mention, term: str) -> bool:
    words = mention.words.lower()
    return words in term or term in words


def _show_planted(model: SentimentModel, taxonomy: Taxonomy) -> None:
    sets = {
        "planted sentences": planted(PLANTED_TEXTS),
        "shop texts": shop_texts(PLANTED_TEXTS),
        "run-ons": run_on(PLANTED_TEXTS),
    }
    for name, truth in sets.items():
        of = {aspect: key for key, ours in OF_SHOP.items() for aspect in ours}
        gold = {
            (number, aspect, mood)
            for number, each in enumerate(truth)
            for aspect, mood in each.moods.items()
        }
        # The shop's own names stand for one or two of ours; other aspects keep their own.
        known = {aspect for _, aspect, _ in gold}
        renamed = of if known <= OF_SHOP.keys() else {}
        print(f"\n{name}: {len(gold)} pairs in {len(truth)} texts, micro-F1")
        ways = {"keywords, whole text (peer)": _by_keyword, "aspects": _by_aspect}
        figures = {}
        for way, judge in ways.items():
            pairs = {
                (n, renamed.get(aspect, aspect), mood)
                for n, aspect, mood in judge(model, truth, taxonomy)
            }
            figures[way] = _micro_f1(gold, pairs)
            aspects_only = _micro_f1({p[:2] for p in gold}, {p[:2] for p in pairs})
            print(f"{way:28}{figures[way]:.3f}   aspects alone {aspects_only:.3f}")
        peer, ours = figures.values()
        print(f"ratio {ours / peer:.2f}, errors 1 : {(1 - peer) / max(1e-9, 1 - ours):.1f}")


def _by_aspect(model: SentimentModel, truth: Iterable[Planted], taxonomy: Taxonomy) -> Pairs:
    scores = aspect_scores(model, [each.text for each in truth], taxonomy)
    moods = scores.probabilities.argmax(1).tolist()
    return set(zip(scores.text.tolist(), scores.aspect, moods, strict=True))


def _by_keyword(model: SentimentModel, truth: Iterable[Planted], taxonomy: Taxonomy) -> Pairs:
    texts = [each.text for each in truth]
    moods = model.score(texts).argmax(1).tolist()
    return {(m.text, m.aspect, moods[m.text]) for m in find_aspects(texts, taxonomy)}


def _micro_f1(gold: Set[tuple[object, ...]], found: Set[tuple[object, ...]]) -> float:
    return 2 * len(gold & found) / max(1, len(gold) + len(found))


def _show_speed(taxonomy: Taxonomy, texts: Sequence[str]) -> None:
    texts = (list(texts) or [each.text for each in planted(PLANTED_TEXTS)]) * 5
    clean = [normalise(text).lower() for text in texts]
    length = sum(map(len, texts)) / len(texts)
    print(f"\nspeed: texts of {length:.0f} characters, CPU time, one core")
    steps: dict[str, Callable[[], object]] = {
        "matching alone": lambda: [taxonomy.find(text) for text in clean],
        "normalising alone": lambda: [normalise(text) for text in texts],
        "all: to mentions": lambda: find_aspects(texts, taxonomy),
    }
    for name, step in steps.items():
        seconds = []
        for _ in range(3):
            began = time.process_time()
            step()
            seconds.append(time.process_time() - began)
        print(f"{name:20}{len(texts) / min(seconds):10,.0f} texts/s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--laptops", type=Path, help="sentence, aspect, polarity (Parquet)")
    parser.add_argument("--model", type=Path, help="another model's folder")
    given = parser.parse_args()
    if unknown := set(given.questions) - set(QUESTIONS):
        parser.error(f"no question {sorted(unknown)}: choose from {', '.join(QUESTIONS)}")
    given.questions = given.questions or list(QUESTIONS)
    return given


if __name__ == "__main__":
    main()
