"""What benchmarks/aspects.py holds the product against: hand-labelled terms, planted sentences.

The labels of terms and the sentences were written for this comparison, not taken from the
taxonomy; `FREQUENT` are all terms that stand at least three times in the SemEval-2014 laptops
training sentences, `RARE` 120 of the others, drawn by chance. Nouns of the planted sentences are
what people call such things; frames and judgements are shared with no other file.
"""

from random import Random
from typing import NamedTuple

from gpu_pipeline.synthetic.phrases import (
    ANSWER_OPENINGS,
    ASPECTS,
    POST_OPENINGS,
    REVIEW_ENDINGS,
    REVIEW_OPENINGS,
)

__all__ = ["FREQUENT", "OF_SHOP", "RARE", "Planted", "planted", "run_on", "shop_texts"]


class Planted(NamedTuple):
    """A text and the mood of each aspect in it: 0 negative, 1 neutral, 2 positive."""

    text: str
    moods: dict[str, int]


def _terms(by_aspect: dict[str, str]) -> dict[str, str]:
    return {term: key for key, terms in by_aspect.items() for term in terms.split("|")}


# "" is none of the taxonomy's aspects: names of other products, or what could be any of them.
FREQUENT = _terms(
    {
        "battery": "batteries|battery|battery life|charge|charger|cords|power|power supply",
        "screen": "colors|display|monitor|resolution|screen",
        "sound": "mic|sound|speakers",
        "camera": "webcam",
        "performance": "boot up|boots up|cooling system|fan|gaming|graphics|graphics card|loads|"
        "memory|mother board|motherboard|performance|processor|ram|run|runs|speed",
        "storage": "cd drive|drive|dvd burner|hard disk|hard drive|hard drives|hd|space|storage",
        "build": "built|case|edges|hinge|quality",
        "design": "appearance|carry|design|look|portability|screen size|size|weight",
        "keyboard": "buttons|external mouse|keyboard|keys|mouse|mouse pad|mousepad|touch pad|"
        "touchpad|trackpad",
        "connectivity": "bluetooth|internet|usb ports|web browsing",
        "software": "applications|bios|browser|drivers|feature|features|firefox|functions|games|"
        "garageband|ilife|imovie|iphoto|itunes|iwork|keynote|mac os|microsoft office|ms office|"
        "navigate|office|operating system|operation|os|os x|pages|photoshop|program|programs|"
        "safari|set up|software|system|use|vista|windows|windows 7|windows 7 home premium|"
        "windows 7 starter|windows vista|word|word processing",
        "price": "budget|cost|price|value",
        "delivery": "delivery|shipped|shipping",
        "service": "customer service|customer support|service|service center|staff|support|"
        "tech support",
        "returns": "extended warranty|repair depot|warranty|warrenty",
        "": "components|feel|hardware|specifications|specs|work|works",
    }
)
RARE = _terms(
    {
        "battery": "charges|discharges|power supply cord",
        "screen": "18-inch|color|high definition quality|led monitor|screen resolutions|"
        "sharpness|video",
        "sound": "headphone jack|maximum sound|sound quality",
        "performance": "1 gb ram|boot|booting|fires up|intel core processors|mainboard|"
        "performance specs|processing|processing power|quad core i7|ran|start up|system board|"
        "upgraded memory",
        "storage": "disk throughput|dvd|dvd drive|external harddrives|hard disk space|hdd bay|"
        "sd memory card reader",
        "build": "bottom of the computer|build quality|hinge design|plastic piece",
        "design": "bulk|shaped",
        "keyboard": "control buttons|flatline keyboard|mouse button|multi-touch mouse|"
        "wireless mouse|zooming",
        "connectivity": "connection|connects to wifi|dock|firewire cable system|"
        "internet connection|internet interfaces|internet speed|s-video port|satellite card|"
        "signal|signals|thunderbolt port|usb devices|usb port|wireless switch",
        "software": "adobe creative suite|aero|appleworks|bloatware|boot mgr|browsing|"
        'configuration of "extra key"|desktop icons|font|functionality|ichat|imail|'
        "installation time|internet tabs|microsoft software|nortell|office mac applications|"
        "office programs|photo application|pop up windows|"
        "pre-loaded norton firewall/security program|presentations|recovery disk|simplicity|"
        "software options|update programs|uploading photos|video editing|video games|virus scan|"
        "webpages|win xp|windows 7 professional|windows movie maker|computing|playing",
        "price": "expense|retail price",
        "packaging": "accessories|instructions",
        "service": "asus tech support|genius bar|genius bar staff)|phone assistance|rep|"
        "service rep|technical person",
        "returns": "applecare warranty plan|extended warranties|one-year warranty|repair|"
        "repair service|repair technician|toshiba warranty|warranty service",
        "": "bag|ibook|leading edge|product key",
    }
)
# The synthetic shop's aspects in the taxonomy's terms; what it calls quality is two of ours.
OF_SHOP = {
    "battery": ("battery",),
    "screen": ("screen",),
    "performance": ("performance",),
    "sound": ("sound",),
    "quality": ("build", "design"),
    "delivery": ("delivery",),
    "price": ("price",),
    "support": ("service",),
}

_NOUNS = {
    "battery": ("battery", "battery life", "charger"),
    "screen": ("screen", "display", "resolution"),
    "sound": ("sound", "bass", "microphone"),
    "camera": ("camera", "webcam", "autofocus"),
    "performance": ("performance", "processor", "graphics card"),
    "build": ("build quality", "hinge", "casing"),
    "design": ("design", "size", "weight"),
    "keyboard": ("keyboard", "touchpad", "space bar"),
    "connectivity": ("wifi", "bluetooth connection", "HDMI port"),
    "software": ("software", "operating system", "user interface"),
    "price": ("price", "value", "price tag"),
    "delivery": ("delivery", "shipping", "courier"),
    "packaging": ("packaging", "manual", "box"),
    "service": ("customer service", "help desk", "staff"),
    "returns": ("warranty", "return policy", "refund"),
}
_SAID = (
    (
        "the {} turned out to be miserable", "I got really let down by the {}",
        "the {} is a constant source of anger", "what a shabby {}", "the {} deserves zero stars",
        "never have I seen a {} this terrible", "the {} isn't any good", "I despise the {}",
        "the {} makes me want to scream", "the {} failed me",
    ),
    (
        "there is the {}", "a word on the {} will follow", "I checked the {} on Sunday",
        "the {} is the one from the brochure", "page two deals with the {}",
        "somebody wanted to know about the {}", "we discussed the {} yesterday",
        "the {} did not change since the last model",
    ),
    (
        "the {} turned out to be marvellous", "I got really fond of the {}",
        "the {} is a constant source of joy", "what a splendid {}", "the {} deserves ten stars",
        "never have I seen a {} this fabulous", "the {} isn't bad at all", "I adore the {}",
        "the {} makes me smile", "the {} never let me down",
    ),
)  # fmt: skip
_SAME = (". ", " and ", ", and ", "; ")
_OTHER = (", but ", ". ", " but ", "; however, ", ", while ", ", although ")
_SHARED = (
    "the {} and the {} are dreadful", "the {} and the {} come with it",
    "the {} and the {} are magnificent",
)  # fmt: skip
# What people type in a hurry; some of these words the product has no list of.
_TERSE = (
    ("awful {}", "{} bad", "{} is terrible", "hate the {}", "{} broke", "the {} is a joke",
     "terrible {}", "don't like the {}", "shoddy {}", "{} keeps failing"),
    ("{} ok", "average {}", "{} is average", "{} is okay", "the {} is alright"),
    ("great {}", "{} good", "{} is excellent", "love the {}", "{} works well", "the {} is awesome",
     "perfect {}", "really like the {}", "ravishing {}", "{} never fails"),
)  # fmt: skip
_TERSE_LINKS = (" ", " ", " ", " and ", " but ", ", ")


def planted(count: int, seed: int = 0) -> list[Planted]:
    """Texts with one to three aspects, each with a mood of its own."""
    rng = Random(seed)
    return [_planted(rng) for _ in range(count)]


def _planted(rng: Random) -> Planted:
    aspects = rng.sample(sorted(_NOUNS), rng.choice((1, 2, 2, 3)))
    nouns = [rng.choice(_NOUNS[aspect]) for aspect in aspects]
    if len(aspects) == 2 and rng.random() < 0.25:
        mood = rng.randrange(3)
        text = _SHARED[mood].format(*nouns)
        return Planted(text[0].upper() + text[1:] + ".", dict.fromkeys(aspects, mood))
    moods = [rng.randrange(3) for _ in aspects]
    text = rng.choice(_SAID[moods[0]]).format(nouns[0])
    for i in range(1, len(aspects)):
        text += rng.choice(_SAME if moods[i - 1] == moods[i] else _OTHER)
        text += rng.choice(_SAID[moods[i]]).format(nouns[i])
    text = ". ".join(part[0].upper() + part[1:] for part in text.split(". "))
    return Planted(text + ".", dict(zip(aspects, moods, strict=True)))


def shop_texts(count: int, seed: int = 0) -> list[Planted]:
    """Texts out of the synthetic shop's sentences: an opening, two aspects, an ending.

    The moods of the two aspects are drawn apart, which the shop itself does not do.
    """
    rng = Random(seed)
    openings = (REVIEW_OPENINGS, POST_OPENINGS, ANSWER_OPENINGS)
    texts = []
    for _ in range(count):
        aspects = rng.sample(sorted(ASPECTS), 2)
        moods = [rng.randrange(3) for _ in aspects]
        said = [rng.choice(ASPECTS[of][mood]) for of, mood in zip(aspects, moods, strict=True)]
        opening = rng.choice(rng.choice(openings)[moods[0]]).format("Nimbus 3")
        text = " ".join([opening, *said, rng.choice(REVIEW_ENDINGS[moods[0]])])
        texts.append(Planted(text, dict(zip(aspects, moods, strict=True))))
    return texts


def run_on(count: int, seed: int = 0) -> list[Planted]:
    """Texts with two or three aspects side by side, mostly with nothing between them."""
    rng = Random(seed)
    texts = []
    for _ in range(count):
        aspects = rng.sample(sorted(_NOUNS), rng.choice((2, 2, 3)))
        moods = [rng.choice((0, 0, 1, 2, 2)) for _ in aspects]
        text = ""
        for aspect, mood in zip(aspects, moods, strict=True):
            said = rng.choice(_TERSE[mood]).format(rng.choice(_NOUNS[aspect]))
            text += (rng.choice(_TERSE_LINKS) if text else "") + said
        texts.append(Planted(text, dict(zip(aspects, moods, strict=True))))
    return texts
