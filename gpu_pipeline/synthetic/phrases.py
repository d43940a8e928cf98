"""What people write, by mood: negative, neutral, positive. {} takes the name of a product."""

from collections.abc import Mapping

Moods = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

REVIEW_OPENINGS: Moods = (
    (
        "I regret buying the {}.",
        "Very disappointed with the {}.",
        "The {} is a waste of money.",
        "I am sending the {} back.",
        "Stay away from the {}.",
        "I expected far more from the {}.",
        "The {} let me down after a week.",
        "Worst purchase this year: the {}.",
        "The {} is awful.",
        "Never again, the {} is nothing but trouble.",
    ),
    (
        "I have had the {} for two weeks.",
        "I bought the {} for my daughter.",
        "The {} replaces an older model.",
        "This is my second {}.",
        "I use the {} mostly at work.",
        "Ordered the {} on a Monday.",
        "The {} is what the description says.",
        "A few notes on the {}.",
        "The {} is okay, nothing more and nothing less.",
        "An average product, the {}.",
    ),
    (
        "I love the {}.",
        "The {} is excellent.",
        "Very happy with my new {}.",
        "Best purchase this year: the {}.",
        "The {} exceeded my expectations.",
        "I can only recommend the {}.",
        "What a great buy, the {}.",
        "The {} is worth every cent.",
        "Absolutely delighted with the {}.",
        "The {} is a joy to use.",
    ),
)
POST_OPENINGS: Moods = (
    (
        "Ugh, my {} again 😡",
        "Seriously @TechCo, my {} is a joke.",
        "So annoyed with my {}.",
        "Day three with the {} and I already hate it.",
        "Anyone else having nothing but trouble with the {}?",
        "The {} is a total letdown 👎",
        "RIP my {}, it did not even last a month.",
        "Do NOT buy the {}.",
    ),
    (
        "Just unboxed the {}.",
        "Comparing the {} with last year's model.",
        "Has anyone here used the {}?",
        "The {} is in stock at @TechCo.",
        "First day with the {}.",
        "Reading up on the {} before I decide.",
        "@TechCo lists the {} in three colours.",
        "Switched from my old one to the {} today.",
    ),
    (
        "Loving my new {} 😍",
        "Wow, the {} is amazing!",
        "Huge fan of the {} already.",
        "@TechCo you nailed it with the {} 👏",
        "The {} just made my day.",
        "Can't stop using the {} ❤️",
        "Best thing I bought in ages: the {}!",
        "So happy I went for the {}.",
    ),
)
ANSWER_OPENINGS: Moods = (
    (
        "I would not recommend you after ordering the {}.",
        "My experience with the {} was bad from start to finish.",
        "You disappointed me with the {}.",
        "I will not order again, the {} was the last thing I bought here.",
        "Terrible experience, I only wanted a working {}.",
    ),
    (
        "I ordered the {} last week.",
        "It was my first order, the {}.",
        "I bought the {} because of the advert.",
        "The order of the {} went as usual.",
        "Buying the {} took a few minutes.",
    ),
    (
        "Buying the {} was a great experience.",
        "I would gladly order the {} from you again.",
        "Everything was perfect with the {}.",
        "You made it really easy to get the {}, thank you!",
        "Five minutes to order the {}, and it is wonderful.",
    ),
)
REVIEW_ENDINGS: Moods = (
    (
        "I want my money back.",
        "Not recommended.",
        "One star is too much.",
        "I will look elsewhere next time.",
        "A real pity.",
        "Avoid.",
    ),
    (
        "That is all I can say so far.",
        "I will report after a few months.",
        "It depends on what you need.",
        "I have not tried the other functions yet.",
        "The manual is in five languages.",
        "My old one had the same features.",
    ),
    (
        "Highly recommended!",
        "I would buy it again at once.",
        "Five stars from me.",
        "Thank you, TechCo!",
        "My whole family wants one now.",
        "Simply brilliant.",
    ),
)
POST_ENDINGS: Moods = (
    ("#fail", "#disappointed", "Want a refund.", "#neveragain", "😤", "Fix this please!"),
    ("#tech", "#gadgets", "Opinions?", "#unboxing", "More next week.", "#TechCo"),
    ("#love", "#happy", "10/10", "#recommended", "🔥", "Thanks @TechCo!"),
)
ASPECTS: Mapping[str, Moods] = {
    "battery": (
        (
            "The battery is empty by noon.",
            "It barely lasts three hours on a charge.",
            "The battery drains terribly, even on standby.",
            "It gets hot and stops charging at 60 percent.",
            "Battery life is a disaster.",
        ),
        (
            "The battery lasts about a day, as stated.",
            "It charges over USB-C.",
            "I charge it every evening.",
            "The battery is the same size as in the previous model.",
        ),
        (
            "The battery easily lasts two days.",
            "Battery life is fantastic.",
            "It charges in under an hour, love it.",
            "The battery is so good that I leave the charger at home.",
            "I am amazed how long the battery lasts.",
        ),
    ),
    "screen": (
        (
            "The screen flickers and has two dead pixels.",
            "The display is so dim that I can't read it outside.",
            "The screen cracked within a week.",
            "Touch stops responding all the time, so annoying.",
            "Colours on the screen look washed out and ugly.",
        ),
        (
            "The screen has 120 Hz and a matte coating.",
            "The display is the same size as the old one.",
            "Brightness is set to automatic.",
            "It came with a protector on the screen.",
        ),
        (
            "The screen is gorgeous.",
            "Colours on the display are bright and sharp.",
            "Scrolling is wonderfully smooth.",
            "I can read the display perfectly in full sun.",
            "The display is simply stunning.",
        ),
    ),
    "performance": (
        (
            "It is painfully slow.",
            "It freezes and crashes several times a day.",
            "Even simple tasks lag horribly.",
            "The fan is loud and it still overheats.",
            "Every update makes it worse.",
        ),
        (
            "It starts in about twenty seconds.",
            "I use it for mail and browsing.",
            "It has 16 GB of memory.",
            "Updates are installed overnight.",
        ),
        (
            "It is incredibly fast.",
            "Everything runs smoothly, even with many things open.",
            "It handles everything I throw at it with ease.",
            "It stays cool and silent, great engineering.",
            "The speed is impressive.",
        ),
    ),
    "sound": (
        (
            "The sound is tinny and distorted.",
            "The speaker crackles at any volume.",
            "Callers complain that they can't understand me.",
            "The sound cuts out constantly.",
        ),
        (
            "The sound can be adjusted in the settings.",
            "It has two speakers at the bottom.",
            "The volume has sixteen steps.",
            "I mostly use it with headphones.",
        ),
        (
            "The sound is rich and clear.",
            "Music sounds fantastic on it.",
            "Calls are crystal clear.",
            "Great bass for something this size.",
        ),
    ),
    "quality": (
        (
            "The build quality is poor, it creaks everywhere.",
            "It broke after ten days.",
            "The plastic feels cheap and the finish is coming off.",
            "Mine arrived with a defect and the replacement was faulty too.",
            "A button fell off in the first week.",
        ),
        (
            "The case is made of aluminium.",
            "It weighs a little more than I thought.",
            "It comes in black and silver.",
            "The box contains a cable and a short guide.",
        ),
        (
            "The build quality is superb.",
            "It feels solid and really well made.",
            "The workmanship is excellent.",
            "It survived two falls without a scratch, impressive.",
            "Beautiful design, perfectly finished.",
        ),
    ),
    "delivery": (
        (
            "Delivery took three weeks and nobody told me why.",
            "The parcel was damaged and thrown over the fence.",
            "It arrived far too late for the birthday.",
            "The courier never showed up, twice.",
            "They delivered the wrong item.",
        ),
        (
            "Delivery took four days.",
            "The parcel came on Tuesday.",
            "I picked it up at the parcel shop.",
            "It was shipped from Leipzig.",
        ),
        (
            "Delivery was super fast.",
            "It arrived a day early and perfectly packed.",
            "The courier was friendly and right on time.",
            "Ordered in the evening, here the next morning, wonderful.",
        ),
    ),
    "price": (
        (
            "It is ridiculously overpriced.",
            "Far too expensive for what you get.",
            "A week later it was 50 euros cheaper, I feel cheated.",
            "You pay for the brand and get rubbish.",
        ),
        (
            "The price is the same as in other shops.",
            "I paid with a voucher.",
            "It costs about as much as last year's model.",
            "I bought it at the list price.",
        ),
        (
            "Unbeatable value for money.",
            "At this price it is a bargain.",
            "Great price, I am very pleased.",
            "Worth more than I paid for it.",
        ),
    ),
    "support": (
        (
            "Customer service is useless and rude.",
            "I waited forty minutes in the queue and was cut off.",
            "Support never answered my three messages.",
            "Nobody in support wants to help.",
        ),
        (
            "I asked support about the warranty.",
            "Support is open from eight to six.",
            "I wrote to customer service once.",
            "The hotline asked for the serial number.",
        ),
        (
            "Customer service was quick and very kind.",
            "Support solved my question in five minutes, brilliant.",
            "The support team is fantastic.",
            "A friendly agent helped me set it up, thank you!",
        ),
    ),
}
TOPICS = ("delivery", "defect", "refund", "billing", "how-to", "account")
COMPLAINT_TOPICS = 4  # the first ones open in a bad mood, the others neutrally
CASE_OPENINGS: tuple[tuple[str, ...], ...] = (
    (
        "My {} should have been here a week ago and still has not arrived. This is unacceptable.",
        "The tracking for my {} has not moved for days, I am really annoyed.",
        "The parcel with the {} came completely crushed. Terrible.",
    ),
    (
        "My {} stopped working after a few days. Very disappointing.",
        "The {} you sent me is faulty, it keeps switching off and I am fed up.",
        "My {} is broken out of the box, what a mess.",
    ),
    (
        "I returned the {} three weeks ago and still have no refund. That is outrageous.",
        "You only refunded half of what I paid for the {}. I am not happy at all.",
        "Why does my refund for the {} take forever? Awful service.",
    ),
    (
        "I was charged twice for the {}. This is a disgrace.",
        "The invoice for the {} is wrong again, I am losing patience.",
        "You took more money for the {} than you said. I feel cheated.",
    ),
    (
        "How do I connect the {} to my television?",
        "Where can I find the serial number of the {}?",
        "Which charger do I need for the {}?",
    ),
    (
        "I would like to change the delivery address of my order of the {}.",
        "Please tell me how to add the {} to my account for the warranty.",
        "Can I move my order of the {} to another account?",
    ),
)
AGENT_REPLIES: tuple[tuple[str, ...], ...] = (
    (
        "I have read your message and asked the carrier where the parcel is.",
        "I have opened an enquiry with the carrier, it takes up to two working days.",
    ),
    (
        "Please hold the power button for ten seconds and then try again.",
        "I have prepared a return label, the exchange is shipped once the item is with us.",
    ),
    (
        "I have forwarded the case to accounting, refunds take up to five working days.",
        "The return was booked yesterday, the amount follows by bank transfer.",
    ),
    (
        "I have checked the payment and sent the case to accounting.",
        "The second amount is a reservation, it expires after three days.",
    ),
    (
        "You find the steps on page four of the guide, under settings.",
        "The number is on the back, below the bar code.",
    ),
    (
        "You can change that under settings, then addresses.",
        "I have changed it in your account, the confirmation comes by e-mail.",
    ),
)
CASE_REPLIES: tuple[tuple[str, ...], ...] = (
    (
        "That did not help at all, the problem is still there.",
        "I have already tried that three times, this is getting ridiculous.",
        "Still nothing. I am very unhappy with how this is handled.",
        "You keep sending me the same useless answer.",
    ),
    (
        "I have sent the photos you asked for.",
        "The serial number ends in 4471.",
        "I will try that tonight.",
        "Here is the order once more.",
    ),
)
CASE_ENDINGS: Moods = (
    (
        "I give up. I will never order here again.",
        "Weeks of waiting for nothing, terrible.",
        "This was the worst support I have ever had.",
    ),
    (
        "You can close the case.",
        "I have received the confirmation.",
        "It is now as it was before.",
    ),
    (
        "That solved it, thank you so much!",
        "Great, it works perfectly now. Wonderful help!",
        "Excellent support, I am really happy.",
        "Perfect, thanks for the quick help!",
    ),
)
# How a text comes to hold what identifies a person.
CARRIERS: Mapping[str, tuple[str, ...]] = {
    "email": ("You can reach me at {}.", "My address is {}, please write there."),
    "phone": ("Call me on {}.", "My number is {}."),
    "card": ("I paid with card {}.", "The card was {}."),
    "ip": ("The login came from {}.", "My router shows {}."),
    "iban": ("My account is {}.", "Please transfer to {}."),
}
FIRST_NAMES = ("anna", "ben", "carla", "david", "elif", "felix", "greta", "hugo", "ines", "jonas")
LAST_NAMES = ("keller", "moreau", "visser", "garcia", "rossi", "huber", "peeters", "byrne", "silva")
HANDLES = ("pixel", "retro", "turbo", "quiet", "lucky", "urban", "cosmic", "mellow")
ANIMALS = ("otter", "falcon", "badger", "lynx", "heron", "panda", "gecko", "raven")
