"""The words of planted sentences: what is judged, and what is said of it, by mood."""

from dataclasses import dataclass

__all__ = ["GENERAL", "SUBJECTS", "Phrases", "Subject"]

Words = tuple[str, ...]


def _words(text: str) -> Words:
    return tuple(word.strip() for word in text.split("|"))


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """What can be said: adjectives and predicates, the latter in the singular.

    A predicate follows its noun ("drains overnight"); a fact is a predicate without a mood.
    """

    good: Words
    bad: Words
    praise: Words = ()
    blame: Words = ()
    facts: Words = ()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One field of things people judge: its nouns by grammatical kind, and its phrases."""

    things: Words = ()
    masses: Words = ()
    plurals: Words = ()
    phrases: Phrases


GENERAL = Phrases(
    good=_words(
        "great|good|excellent|fantastic|amazing|awesome|wonderful|superb|outstanding|perfect|"
        "brilliant|lovely|nice|decent|impressive|remarkable|terrific|first-rate|top notch|"
        "really good|solid|very good|surprisingly good|better than expected|spot on|incredible|"
        "second to none|flawless|exceptional|phenomenal|pretty good|just right|phenomenal"
    ),
    bad=_words(
        "bad|terrible|awful|horrible|poor|disappointing|mediocre|lousy|dreadful|pathetic|useless|"
        "garbage|a joke|unacceptable|subpar|below average|frustrating|annoying|a letdown|rubbish|"
        "a nightmare|worse than expected|abysmal|very poor|sub-standard|atrocious|inferior|crap|"
        "a disappointment|really bad|unusable|laughable"
    ),
    praise=_words(
        "does exactly what I need|is worth every penny|made my week|never fails|"
        "exceeds expectations|"
        "blew me away|works like a charm|is my favourite part|beats the one I had before|"
        "is a big step up|has been trouble-free|gets full marks|sold it for me"
    ),
    blame=_words(
        "leaves a lot to be desired|is a deal breaker|drives me crazy|never works properly|"
        "gave me nothing but trouble|needs serious work|ruins it|is the weak point|"
        "fell short of my hopes|makes me regret it|is worse than on my old one|"
        "has been a headache from day one|puts me off"
    ),
    facts=_words(
        "is the same as before|is what you would expect|is standard|is average|is okay|is alright|"
        "is as described|can be changed in the settings|is listed on the box|is new this year|"
        "is neither good nor bad|takes some getting used to|differs from the other version|"
        "was checked by a friend|is mentioned in the manual"
    ),
)

SUBJECTS = (
    Subject(
        things=_words("battery|charger|power adapter|power supply|battery pack"),
        masses=_words("battery life|standby time|charging|fast charging|battery performance"),
        plurals=_words("batteries|charging times"),
        phrases=Phrases(
            good=_words("long lasting|reliable|quick|strong|dependable"),
            bad=_words("short-lived|weak|slow|unreliable|dead after a month"),
            praise=_words(
                "goes on forever|keeps going through a long flight|gets me through a shift"
            ),
            blame=_words("dies within hours|gives up before lunch|barely makes it past breakfast"),
            facts=_words("is rated at ten hours|takes a couple of hours|sits at the back"),
        ),
    ),
    Subject(
        things=_words("screen|display|touchscreen|panel|monitor|touch screen|OLED panel"),
        masses=_words("resolution|brightness|picture quality|screen quality|viewing angle"),
        plurals=_words("colours|graphics|viewing angles|bezels"),
        phrases=Phrases(
            good=_words("crisp|vivid|bright|sharp|stunning|beautiful|easy on the eyes|clear"),
            bad=_words("dim|grainy|blurry|dull|washed-out|full of glare|hard to read"),
            praise=_words("looks gorgeous|is a pleasure to look at|pops"),
            blame=_words("flickers|scratches if you look at it|strains my eyes|has dead pixels"),
            facts=_words("measures fifteen inches|has a matte finish|runs at 60 Hz"),
        ),
    ),
    Subject(
        things=_words("speaker|microphone|headset|subwoofer|noise cancelling|mic|headphone jack"),
        masses=_words("sound|audio|sound quality|bass|call quality|audio quality|volume"),
        plurals=_words("speakers|headphones|earbuds|highs|mids"),
        phrases=Phrases(
            good=_words("loud and clear|rich|deep|balanced|punchy|immersive|warm"),
            bad=_words("muffled|tinny|harsh|too quiet|distorted|flat|hissy"),
            praise=_words("fills the room|sounds like a concert hall|drowns out the train"),
            blame=_words("crackles|cuts out|rattles at half volume|hurts my ears"),
            facts=_words("sits under the keyboard|has a mute switch|supports stereo"),
        ),
    ),
    Subject(
        things=_words("camera|webcam|lens|front camera|zoom|night mode|flash"),
        masses=_words("photo quality|video quality|autofocus|image stabilisation"),
        plurals=_words("photos|pictures|selfies|videos"),
        phrases=Phrases(
            good=_words("sharp|detailed|natural looking|crystal clear|vivid"),
            bad=_words("blurry|noisy|out of focus|overexposed|pixelated"),
            praise=_words("rivals a real camera|captures every detail"),
            blame=_words("struggles in low light|turns everything into mush"),
            facts=_words("has twelve megapixels|needs the app|comes on with a double press"),
        ),
    ),
    Subject(
        things=_words("processor|hard drive|graphics card|fan|CPU|SSD|boot time|chip|cooling fan"),
        masses=_words(
            "performance|speed|multitasking|gaming performance|memory|RAM|cooling|storage"
        ),
        plurals=_words("load times|benchmarks|frame rates|transfer rates"),
        phrases=Phrases(
            good=_words("fast|snappy|lightning fast|responsive|quick|blazing fast|powerful"),
            bad=_words("slow|sluggish|laggy|underpowered|noisy|glacial|overloaded"),
            praise=_words("flies|handles heavy work|copes with every game"),
            blame=_words("slows to a crawl|stutters|chokes on simple jobs|gets too hot to touch"),
            facts=_words("is the entry level option|has four cores|can be upgraded later"),
        ),
    ),
    Subject(
        things=_words("keyboard|trackpad|touchpad|mouse|space bar|stylus|remote|power button|dial"),
        masses=_words("typing|key travel|backlighting|navigation|feedback"),
        plurals=_words("keys|buttons|controls|mouse buttons|function keys|gestures"),
        phrases=Phrases(
            good=_words("comfortable|responsive|well spaced|precise|a joy to type on|smooth"),
            bad=_words("mushy|cramped|jumpy|unresponsive|stiff|too sensitive|badly placed"),
            praise=_words("feels just right|picks up every tap"),
            blame=_words("sticks|misses every second press|jumps all over the place"),
            facts=_words("has a number block|follows the German layout|lights up at night"),
        ),
    ),
    Subject(
        things=_words("case|hinge|lid|chassis|strap|finish|body|design|look|form factor|headband"),
        masses=_words(
            "build quality|construction|weight|size|durability|craftsmanship|fit|quality|"
            "comfort|style"
        ),
        plurals=_words("materials|ear cushions|looks|edges|hinges|seams"),
        phrases=Phrases(
            good=_words(
                "sturdy|sleek|rock solid|elegant|premium|well built|light|gorgeous|stylish"
            ),
            bad=_words("flimsy|cheap|wobbly|bulky|ugly|fragile|too heavy|badly finished"),
            praise=_words("turns heads|feels like it will last for years|holds up to daily abuse"),
            blame=_words("came apart|snapped|creaks when I pick it up|scratches too easily"),
            facts=_words("is made of plastic|comes in two colours|is a bit larger than a book"),
        ),
    ),
    Subject(
        things=_words(
            "software|operating system|app|interface|setup|user interface|update|OS|menu"
        ),
        masses=_words("Windows|firmware|installation|Android|voice control|ease of use"),
        plurals=_words("apps|features|settings|programs|updates|drivers|applications"),
        phrases=Phrases(
            good=_words(
                "intuitive|easy to use|stable|polished|user friendly|well thought out|simple"
            ),
            bad=_words("buggy|confusing|bloated|unstable|clunky|full of adverts|complicated"),
            praise=_words("just works|takes minutes to learn"),
            blame=_words("crashes|freezes|wiped my data|keeps nagging me|loses my preferences"),
            facts=_words("is version nine|is available in English|can be downloaded"),
        ),
    ),
    Subject(
        things=_words("wifi|connection|bluetooth|USB port|HDMI port|signal|wireless card|dock"),
        masses=_words("Wi-Fi|connectivity|reception|pairing|range|bluetooth range"),
        plurals=_words("ports|USB ports|connections|cables"),
        phrases=Phrases(
            good=_words("stable|rock steady|instant|seamless|reliable|plentiful"),
            bad=_words("patchy|spotty|unstable|loose|flaky|too few"),
            praise=_words("connects at once|reaches every room"),
            blame=_words("drops all day|disconnects without warning|refuses to pair"),
            facts=_words("is on the left|supports the usual standards|needs an adapter"),
        ),
    ),
    Subject(
        things=_words("price|cost|price tag|deal|discount|value|price point"),
        masses=_words("value for money|pricing|shipping cost|monthly cost"),
        plurals=_words("prices|fees|costs"),
        phrases=Phrases(
            good=_words("fair|unbeatable|reasonable|very attractive|hard to beat|a steal"),
            bad=_words("outrageous|unreasonable|way too high|hard to justify|excessive|a rip off"),
            praise=_words("cannot be beaten|left me with money to spare"),
            blame=_words("made my eyes water|went up right after the sale"),
            facts=_words("is printed on the label|includes tax|was agreed beforehand"),
        ),
    ),
    Subject(
        things=_words(
            "delivery|courier|package|parcel|packaging|box|shipment|delivery driver|"
            "order process|website"
        ),
        masses=_words("shipping|tracking|checkout|wrapping|dispatch"),
        plurals=_words("delivery times|instructions|accessories|shipping options"),
        phrases=Phrases(
            good=_words("prompt|fast|on time|well organised|speedy|careful|hassle free"),
            bad=_words("late|slow|careless|delayed|crushed|soaked|sloppy"),
            praise=_words("came ahead of schedule|turned up the very next day"),
            blame=_words("took forever|got lost|turned up in pieces|went to the wrong house"),
            facts=_words("came on a Thursday|went through the depot|weighs a kilo"),
        ),
    ),
    Subject(
        things=_words(
            "customer service|support|warranty|help desk|return policy|staff|refund|agent|"
            "repair centre|technician|service|sales team|guarantee|exchange"
        ),
        masses=_words("tech support|customer care|after-sales service|communication"),
        plurals=_words("returns|repairs|sales people|technicians"),
        phrases=Phrases(
            good=_words("helpful|polite|friendly|responsive|professional|generous|knowledgeable"),
            bad=_words("rude|unhelpful|slow|clueless|dismissive|incompetent|arrogant"),
            praise=_words("sorted it out in minutes|went the extra mile"),
            blame=_words("never replied|hung up on me|sent me round in circles|ignored my mails"),
            facts=_words("runs for two years|is based in Ireland|answers by chat"),
        ),
    ),
)
