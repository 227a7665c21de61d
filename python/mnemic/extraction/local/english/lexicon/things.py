"""What values name: words by class. Two values of one class can stand in each other's place."""

from __future__ import annotations

from itertools import pairwise

from mnemic.extraction.local.english.values import JOBS

_COLOURS = """red blue green yellow orange purple violet pink brown black white grey gray beige cream ivory gold silver bronze copper
    turquoise teal cyan magenta lilac lavender mauve maroon burgundy crimson scarlet navy indigo olive mustard ochre terracotta
    peach coral salmon khaki charcoal blonde auburn ginger brunette emerald jade sage mint aqua fuchsia plum amber rust"""
_DIETS = """vegan vegetarian pescatarian pescetarian flexitarian keto halal kosher omnivore carnivore veggie paleo coeliac celiac
    gluten-free dairy-free lactose-free low-carb plant-based fruitarian raw-food nut-free sugar-free mediterranean fodmap whole30
    atkins macrobiotic vegan-ish meat-eater lactose-intolerant gluten-intolerant diabetic teetotal"""
_LANGUAGES = """english german french spanish portuguese italian dutch swedish norwegian danish finnish polish czech slovak hungarian
    romanian bulgarian greek turkish arabic hebrew persian farsi hindi urdu bengali tamil telugu thai vietnamese indonesian malay
    chinese mandarin cantonese japanese korean russian ukrainian serbian croatian latin swahili catalan basque irish welsh icelandic
    tagalog zulu afrikaans esperanto gaelic gujarati punjabi marathi malayalam kannada nepali sinhala lithuanian latvian estonian
    slovene slovenian albanian macedonian maltese armenian georgian kurdish pashto amharic somali yoruba igbo hausa xhosa maori
    hawaiian samoan breton cornish galician flemish yiddish cebuano filipino burmese khmer lao mongolian kazakh uzbek bsl asl"""
_INSTRUMENTS = """guitar piano violin viola cello drums drum flute clarinet saxophone sax trumpet trombone harp ukulele bass banjo oboe
    accordion harmonica keyboard organ mandolin fiddle bassoon cornet tuba recorder lute sitar tabla bagpipes didgeridoo
    xylophone marimba bodhran concertina theremin synth synthesiser harpsichord euphonium piccolo djembe cajon dulcimer
    bouzouki melodica vibraphone lyre horn whistle kalimba bongos timpani glockenspiel"""
_SPORTS = """football soccer basketball tennis volleyball rugby cricket hockey badminton golf baseball squash handball padel netball
    lacrosse rounders softball polo darts snooker pool bowls bowling boxing wrestling fencing judo karate aikido kendo taekwondo
    jiu-jitsu bjj kickboxing capoeira krav-maga swimming running cycling rowing sailing surfing kayaking canoeing climbing bouldering
    skiing snowboarding skating skateboarding hiking jogging triathlon triathlons marathons archery gymnastics parkour yoga pilates zumba crossfit
    spinning spin weightlifting powerlifting pickleball korfball futsal ping-pong curling diving snorkelling windsurfing kitesurfing
    paddleboarding horse-riding equestrian dressage orienteering athletics sprinting hurling camogie shinty floorball frisbee
    roller-derby ballet salsa tango swing zouk ballroom barre tai-chi qigong aqua-aerobics aerobics walking rambling
    wakeboarding paragliding skydiving abseiling caving potholing fishing angling"""
_PASTIMES = """knitting crochet sewing quilting embroidery weaving pottery ceramics woodworking woodturning woodcarving carpentry painting drawing
    sketching watercolours watercolors watercolour calligraphy origami photography gardening baking cooking brewing beekeeping
    birdwatching birding stargazing astronomy reading writing journaling blogging gaming chess puzzles jigsaws crosswords sudoku
    geocaching metal-detecting foraging camping travelling traveling singing dancing acting improv choir quizzing collecting
    scrapbooking candle-making soap-making leatherwork blacksmithing lego model-making modelling cross-stitch macrame upcycling
    volunteering genealogy magic juggling poker bridge backgammon mahjong boardgames podcasting djing karaoke theatre meditation
    trainspotting fly-fishing glassblowing jewellery-making linocut printmaking sculpture sculpting whittling sourdough bonsai
    allotment kombucha homebrewing tapestry felting lacemaking paddleboard ceramics stamps coins"""
_ANIMALS = """dog puppy pup doggo mutt cat kitten kitty moggy hamster rabbit bunny parrot guinea-pig turtle tortoise terrapin goldfish fish
    horse pony snake python lizard gecko ferret budgie canary chicken hen duck goose goat sheep pig alpaca llama donkey mare foal
    retriever labrador poodle beagle terrier shepherd husky corgi dachshund bulldog spaniel whippet collie pug greyhound cockapoo
    cavapoo labradoodle goldendoodle cockerpoo chihuahua rottweiler doberman dalmatian mastiff pomeranian schnauzer setter pointer
    vizsla weimaraner malamute samoyed akita newfoundland bernese lurcher hound staffie jack-russell westie bichon shih-tzu maltese
    lab lhasa basenji basset bloodhound ragdoll siamese persian tabby bengal sphynx burmese maine-coon gerbil rat mouse
    chinchilla hedgehog axolotl frog toad newt tarantula iguana bearded-dragon chameleon cockatiel cockatoo macaw lovebird finch
    dove pigeon conure parakeet stick-insect hermit-crab koi betta guppy skink corn-snake degu sugar-glider bird"""
_TRANSPORT = """car train bus tram bike bicycle motorbike scooter ferry underground tube subway metro taxi foot e-bike moped carpool
    cycle walk walking cycling driving tramway van plane"""
_PEOPLE_KIN = """brother sister mother mum mom father dad son daughter wife husband girlfriend boyfriend partner aunt uncle cousin niece
    nephew grandmother grandfather grandma grandpa gran grandad"""
_SUBJECTS = """maths mathematics physics chemistry biology geography history geology law medicine nursing engineering economics philosophy
    psychology sociology anthropology archaeology linguistics literature music art drama design architecture accounting finance
    marketing business politics theology journalism computing astronomy statistics zoology botany ecology pharmacy dentistry education
    criminology classics neuroscience biochemistry genetics oceanography film fashion midwifery forensics robotics"""
_FOODS = """pizza pasta sushi ramen curry tacos burrito burgers burger salad soup risotto paella lasagne lasagna noodles pho pad-thai
    dumplings falafel hummus kebab steak chips stew chilli tapas dim-sum biryani katsu gnocchi pierogi goulash ceviche poke
    sandwich toast porridge granola pancakes waffles cheese chocolate cake ice-cream sorbet pie crumble tiramisu brownies doughnuts
    thai italian mexican indian chinese japanese lebanese ethiopian greek turkish vietnamese korean moroccan peruvian"""
_DRINKS = """coffee tea espresso latte cappuccino cortado macchiato americano mocha flat-white filter decaf chai matcha oolong earl-grey
    green-tea peppermint rooibos water juice lemonade cola beer wine gin whisky whiskey rum vodka cider prosecco cocktail stout lager
    ale kombucha smoothie milk oat-milk soya-milk almond-milk hot-chocolate cold-brew"""
_ALLERGENS = """peanut peanuts nuts almonds almond hazelnuts hazelnut walnuts walnut cashews cashew pistachios pecans sesame soya soy
    shellfish prawns shrimp crab lobster mussels fish eggs egg dairy milk gluten wheat kiwi strawberries strawberry pollen dust cats
    dogs bees wasps penicillin ibuprofen aspirin latex nickel mould mold mustard celery lupin amoxicillin codeine ragweed grass hay
    feathers horses paracetamol sulphites"""
_MONTHS_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_ILLNESSES = """asthma diabetes epilepsy migraine migraines arthritis eczema psoriasis hayfever anaemia hypertension insomnia adhd
    dyslexia tinnitus sciatica endometriosis ibs crohn's gout shingles"""
_MEDICINES = """metformin ramipril sertraline propranolol levothyroxine statins statin atorvastatin simvastatin omeprazole lansoprazole
    citalopram fluoxetine insulin warfarin aspirin ibuprofen paracetamol naproxen amlodipine lisinopril bisoprolol losartan
    prednisolone antihistamines cetirizine loratadine gabapentin pregabalin amitriptyline mirtazapine venlafaxine duloxetine
    methotrexate salbutamol ventolin melatonin iron magnesium vitamin multivitamins"""
_STATUSES = "single married engaged divorced widowed separated"
VEHICLE_MAKES = """tesla toyota honda ford bmw audi mercedes vw volkswagen volvo kia hyundai nissan mazda subaru fiat renault peugeot
    citroen citroën opel vauxhall skoda seat porsche mini jeep chevy chevrolet dodge lexus jaguar suzuki dacia polestar rivian
    prius vespa harley ducati yamaha mitsubishi acura buick cadillac gmc alfa byd saab cupra genesis motorbike motorcycle scooter
    van truck campervan corsa yaris fiesta focus golf polo astra clio leaf niro micra picanto civic corolla passat octavia panda berlingo
    zoe megane juke qashqai duster sandero i10 i20 i30 jimny swift ibiza leon fabia superb land-rover range-rover defender
    moped minibus pickup estate"""
_PHONES = """iphone pixel galaxy samsung oneplus nokia fairphone xiaomi huawei motorola xperia blackberry android oppo honor realme
    landline"""
_COMPUTERS = "macbook thinkpad chromebook imac dell lenovo surface asus acer hp ipad tablet desktop laptop linux windows ubuntu mac"

CLASSES: dict[str, frozenset[str]] = {
    "colour": frozenset(_COLOURS.split()),
    "diet": frozenset(_DIETS.split()),
    "language": frozenset(_LANGUAGES.split()),
    "instrument": frozenset(_INSTRUMENTS.split()),
    "activity": frozenset((_SPORTS + " " + _PASTIMES).split()),
    "animal": frozenset(_ANIMALS.split()),
    "transport": frozenset(_TRANSPORT.split()),
    "subject": frozenset(_SUBJECTS.split()),
    "food": frozenset(_FOODS.split()),
    "drink": frozenset(_DRINKS.split()),
    "allergen": frozenset(_ALLERGENS.split()),
    "weekday": frozenset(_MONTHS_DAYS.split()),
    "illness": frozenset(_ILLNESSES.split()),
    "medicine": frozenset(_MEDICINES.split()),
    "status": frozenset(_STATUSES.split()),
    "vehicle": frozenset(VEHICLE_MAKES.split()),
    "phone": frozenset(_PHONES.split()),
    "computer": frozenset(_COMPUTERS.split()),
    "kin": frozenset(_PEOPLE_KIN.split()),
    "job": JOBS,
}
"""Of each class its words, in lower case; of two words with a hyphen between them."""


# In small letters these are other words.
_ONLY_NAMES = frozenset(
    "focus mini leaf swift polo golf jazz civic micra defender surface mac surface pixel galaxy honor seat astra fabia".split()
)


def classes_of(value: str) -> frozenset[str]:
    """The classes to which a value belongs, by any of its words but first by its last one."""
    words = value.lower().replace("'s", "").split()
    if len(words) > 1 and value.istitle():
        # "Harry Potter" is no potter; "Honda Jazz" is a car by its first word.
        found = _BY_WORD.get(words[0], frozenset()) | _BY_WORD.get(words[-1], frozenset())
        return found - {"job", "activity", "animal", "food", "drink", "allergen", "colour", "medicine"}
    joined = ["-".join(pair) for pair in pairwise(words)]
    for word in (*reversed(joined), *reversed(words)):
        if word in _ONLY_NAMES and value.islower():
            continue
        for form in (word, word.removesuffix("s")):
            if form in _BY_WORD:
                return _BY_WORD[form]
    return frozenset()


_BY_WORD: dict[str, frozenset[str]] = {
    word: frozenset(name for name, words in CLASSES.items() if word in words)
    for every in CLASSES.values()
    for word in every
}
