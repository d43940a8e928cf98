"""What support messages want: in the sources learnt from, and in those that were not.

The bundled intent model, fitted anew from data: Bitext's support requests, MultiDoGO's customer
turns (software and finance chats), and planted requests. `in-domain`: the held-out templates.
`without its source`: each real source learnt from the others alone, on what both know. `shop`:
openings and replies of the synthetic shop's cases, whose topic is known and which are learnt
from nowhere. The peer is scikit-learn's usual recipe, TfidfVectorizer and LogisticRegression.

Run: python benchmarks/intents.py --bitext FILE --multidogo FILE [--save FOLDER]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from timing import machine

from gpu_pipeline.synthetic.phrases import CASE_ENDINGS, CASE_OPENINGS, CASE_REPLIES, TOPICS
from nlp.intents import OTHER, IntentModel
from nlp.training.intents import IntentPlan, train_intents
from nlp.training.planted_intents import planted_requests

PLANTED = 6000
OF_BITEXT = {
    "track_order": "delivery", "delivery_period": "delivery", "delivery_options": "delivery",
    "change_shipping_address": "address", "set_up_shipping_address": "address",
    "get_refund": "refund", "track_refund": "refund", "check_refund_policy": "refund",
    "place_order": "order", "change_order": "order",
    "cancel_order": "cancellation", "check_cancellation_fee": "cancellation",
    "payment_issue": "payment", "check_payment_methods": "payment",
    "get_invoice": "invoice", "check_invoice": "invoice",
    "create_account": "account", "edit_account": "account", "delete_account": "account",
    "switch_account": "account", "registration_problems": "account",
    "recover_password": "password", "complaint": "complaint",
    "contact_human_agent": "contact", "contact_customer_service": "contact",
    "review": "feedback", "newsletter_subscription": "newsletter",
}  # fmt: skip
OF_MULTIDOGO = {
    "reportbrokensoftware": "fault", "disputecharge": "payment", "closeaccount": "account",
    "updateaddress": "address", "changeorder": "order", "startorder": "order",
    "stoporder": "cancellation", "openinggreeting": OTHER, "closinggreeting": OTHER,
    "thankyou": OTHER, "confirmation": OTHER, "rejection": OTHER, "contentonly": OTHER,
}  # fmt: skip
MOST_OF_ONE = 900  # of one MultiDoGO intent, or small talk would be most of the data
OF_TOPIC = {
    "delivery": {"delivery"}, "defect": {"fault"}, "refund": {"refund"},
    "billing": {"payment", "invoice"}, "how-to": {"usage"}, "account": {"account", "address"},
}  # fmt: skip
Labelled = tuple[list[str], list[str]]


def main() -> None:
    given = _arguments()
    print(machine())
    sources = {
        "bitext": _bitext(given.bitext),
        "multidogo": _multidogo(given.multidogo),
        "planted": planted_requests(PLANTED, seed=1),
    }
    for name, (texts, labels) in sources.items():
        print(f"{name}: {len(texts):,} messages, {len(set(labels))} intents")
    model = _show_fit("all sources", sources)
    _show_shop(model.predict, "ours")
    _show_shop(_peer(*_together(sources)), "peer: tf-idf, told no threshold")
    _show_speed(model, sources["bitext"][0])
    for left_out in sources:
        others = {name: of for name, of in sources.items() if name != left_out}
        _show_transfer(left_out, others, sources[left_out])
    if given.save:
        model.save(given.save, data=_facts(sources))


def _show_fit(name: str, sources: dict[str, Labelled]) -> IntentModel:
    model = train_intents(*_together(sources), IntentPlan())
    told = {key: value for key, value in model.card["held_out"].items() if key != "intents"}
    print(f"\n{name}: held-out templates {told}")
    print(f"temperature {model.card['temperature']}, intents {', '.join(model.labels)}")
    return model


def _show_transfer(name: str, others: dict[str, Labelled], unseen: Labelled) -> None:
    model = train_intents(*_together(others), IntentPlan())
    kept = [pair for pair in zip(*unseen, strict=True) if pair[1] in model.labels]
    guess = model.predict([text for text, _ in kept])[0]
    right = np.array([said == label for said, (_, label) in zip(guess, kept, strict=True)])
    unsure = np.array([said == OTHER for said in guess])
    named = right[~unsure].mean() if (~unsure).any() else float("nan")
    print(
        f"learnt without {name:10}: {len(kept):,} of its messages, accuracy {right.mean():.3f}, "
        f"where an intent was named {named:.3f} ({1 - unsure.mean():.2f} of them)"
    )


def _show_shop(predict: Callable[[Sequence[str]], tuple[list[str], object]], name: str) -> None:
    print(f"\nsynthetic shop, {name}")
    right = total = 0
    for topic, openings in zip(TOPICS, CASE_OPENINGS, strict=True):
        texts = [text.format("Nimbus 3") for text in openings]
        guess = predict(texts)[0]
        right += sum(said in OF_TOPIC[topic] for said in guess)
        total += len(guess)
        print(f"  {topic:10} {', '.join(guess)}")
    chat = [text for pool in (*CASE_REPLIES, *CASE_ENDINGS) for text in pool]
    others = sum(said == OTHER for said in predict(chat)[0])
    print(f"  openings right {right} of {total}; replies and endings other {others} of {len(chat)}")


def _peer(
    texts: Sequence[str], labels: Sequence[str]
) -> Callable[[Sequence[str]], tuple[list[str], object]]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    peer = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=300))
    peer.fit(texts, labels)
    return lambda some: (peer.predict(some).tolist(), None)


def _show_speed(model: IntentModel, texts: Sequence[str]) -> None:
    began = time.process_time()
    model.predict(texts)
    seconds = time.process_time() - began
    print(f"\nspeed: {len(texts) / seconds:,.0f} messages/s of CPU time on one core")


def _together(sources: dict[str, Labelled]) -> Labelled:
    texts = [text for some, _ in sources.values() for text in some]
    return texts, [label for _, some in sources.values() for label in some]


def _bitext(path: Path) -> Labelled:
    """Entities are masked and copies dropped: order numbers and names say nothing."""
    frame = pd.read_parquet(path)
    values = frame["entity_value"].fillna("").astype(str)
    masked = [
        text.replace(value, "0" if any(c.isdigit() for c in value) else value) if value else text
        for text, value in zip(frame["utterance"], values, strict=True)
    ]
    return _without_copies(masked, frame["intent"].map(OF_BITEXT).tolist())


def _multidogo(path: Path) -> Labelled:
    frame = pd.read_parquet(path)
    frame = frame[frame["domain"].isin(["software", "finance"])]
    frame = frame[frame["intent"].isin(OF_MULTIDOGO)].drop_duplicates("utterance")
    shuffled = frame.sample(frac=1, random_state=0)
    few = shuffled.groupby("intent").head(MOST_OF_ONE)
    return _without_copies(few["utterance"].tolist(), few["intent"].map(OF_MULTIDOGO).tolist())


def _without_copies(texts: Sequence[str], labels: Sequence[str]) -> Labelled:
    first: dict[str, tuple[str, str]] = {}
    for text, label in zip(texts, labels, strict=True):
        first.setdefault(" ".join(text.lower().split()), (text, label))
    return [text for text, _ in first.values()], [label for _, label in first.values()]


def _facts(sources: dict[str, Labelled]) -> dict[str, object]:
    return {
        "bitext": f"{len(sources['bitext'][0])} support requests (Bitext), CDLA-Sharing",
        "multidogo": f"{len(sources['multidogo'][0])} customer turns (MultiDoGO), CDLA-Permissive",
        "planted": f"{len(sources['planted'][0])} planted requests (nlp.training.planted_intents)",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bitext", type=Path, required=True, help="utterance, intent, ...")
    parser.add_argument("--multidogo", type=Path, required=True, help="utterance, intent, domain")
    parser.add_argument("--save", type=Path, help="folder for the fitted model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
