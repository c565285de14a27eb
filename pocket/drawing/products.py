"""The sample catalog's products in words: name, other names, description, by category."""

PARENTS: dict[str, tuple[str, ...]] = {
    "clothing": (
        "clothes", "apparel", "garment", "item of clothing", "something to wear", "garments",
        "clothing item", "wearing apparel",
    ),
    "footwear": (
        "shoes", "shoe", "footwear for men and women", "something for the feet", "shoes and boots",
        "shoes to wear", "pair of shoes",
    ),
    "fashion accessory": (
        "accessories", "personal accessory", "clothes accessory", "apparel accessories",
        "wearable accessory", "fashion accessories", "clothing accessory",
    ),
    "bag": (
        "bags", "luggage", "luggage and bags", "bag to carry things in", "travel bag", "baggage",
        "bags and luggage", "carrying bag",
    ),
    "electronics": (
        "electronic device", "gadget", "electrical device", "electronics and computers",
        "digital device", "tech gadget", "consumer electronics", "electronic gadget",
    ),
    "kitchenware": (
        "kitchen utensil", "kitchen and dining", "cookware", "tableware", "kitchen supplies",
        "cooking equipment", "household kitchen item", "dinnerware", "tableware and cookware",
        "kitchen equipment",
    ),
    "furniture": (
        "piece of furniture", "home furniture", "furnishings", "indoor furniture",
        "furniture for the house", "living room furniture", "bedroom furniture", "furnishing",
        "household furniture",
    ),
    "home decor": (
        "home decoration", "decoration", "decor", "decorative accent", "decorative object",
        "interior decoration", "home accessory", "house ornament", "home accents",
        "decorative home item",
    ),
    "stationery": (
        "office supplies", "reading and writing things", "paper goods", "desk supplies",
        "school stationery", "office and school products", "school supplies", "writing supplies",
    ),
    "tool": (
        "hand tool", "hardware", "workshop tool", "tool for building", "repair tool",
        "hardware and tool", "tools", "tool for repairs",
    ),
    "sporting goods": (
        "sports equipment", "sport equipment", "fitness equipment", "sports and outdoors",
        "athletic gear", "equipment for athletes", "sports gear", "athletic equipment",
    ),
    "toy": (
        "toys", "plaything", "toy for children", "games and toys", "kids' toy", "kids toys",
        "toys and games", "children's toy",
    ),
    "musical instrument": (
        "instrument for music", "music equipment", "musical instruments", "thing to play music on",
        "music instrument", "instrument to play music",
    ),
}  # fmt: skip
"""Each category's name, and other names for it."""

PRODUCTS: dict[str, str] = {
    "clothing": """
t-shirt
    tee, tee shirt, short-sleeved shirt, short sleeve top, crew neck tee
    a top with short sleeves and a round neck
shirt
    long-sleeved shirt, button-up shirt, dress shirt, button-down shirt, collared long-sleeved shirt
    a top with a collar, buttons and long sleeves
jacket
    coat, blazer, outerwear, outdoor jacket, open coat
    an outer garment with lapels and pockets
hoodie
    hooded sweatshirt, hooded sweater, sweatshirt with a hood, hooded jumper
    a sweater with a hood, strings and a front pocket
trousers
    pants, slacks, long pants, pair of trousers, pair of long pants
    long legs under a waistband
shorts
    short pants, bermuda shorts, short trousers, pair of short pants
    short legs under a waistband
skirt
    pleated skirt, knee-length skirt, flared skirt, women's skirt
    flared cloth with folds below a waistband
dress
    gown, frock, summer dress, evening dress
    a top and a skirt in one piece with a waist
sock
    socks, stocking, ankle sock, pair of socks, knitted sock
    a knitted tube for a foot with heel and toe
tank top
    sleeveless top, vest top, sleeveless shirt
    a top with shoulder straps and no sleeves
""",
    "footwear": """
sneaker
    trainer, running shoe, tennis shoe, sports shoe, athletic shoe
    a low shoe with laces and a thick rubber sole
boot
    boots, ankle boot, leather boot, winter boot, high boot
    a shoe with a tall shaft above the ankle
high heel
    stiletto, high-heeled shoe, pump, stiletto heel, shoe with a high heel
    a pointed shoe on a tall thin heel
flip-flop
    flip-flops, thong sandal, beach sandal, rubber sandals
    a flat sole with a strap between the toes
clog
    wooden shoe, clogs, backless shoe
    a shoe with a wooden sole and no back
""",
    "fashion accessory": """
cap
    baseball cap, peaked cap, sports cap, cap with a visor
    a round crown with a visor in front
hat
    sun hat, brimmed hat, fedora, straw hat, hat with a brim
    a crown with a band and a wide brim
sunglasses
    shades, dark glasses, sun glasses, eyewear, pair of sunglasses, tinted glasses
    two dark lenses in a frame
wristwatch
    watch, wrist watch, analog watch, timepiece for the wrist, watch with a strap
    a round dial with hands on a strap
necktie
    tie, neck tie, silk tie, business tie, formal tie
    a long pointed strip of cloth with a knot
belt
    leather belt, waist belt, belt with a buckle, trouser belt
    a rolled strap with a metal buckle
umbrella
    parasol, rain umbrella, folding umbrella, umbrella for the rain
    a round canopy on a stick with a crooked handle
ring
    finger ring, diamond ring, engagement ring, jewel ring, ring with a gemstone
    a metal band with a cut stone
mitten
    mittens, glove, knitted glove
    a knitted cover for a hand with a thumb and a cuff
""",
    "bag": """
backpack
    rucksack, school bag, knapsack, daypack, hiking backpack
    a bag with shoulder straps and a front pocket
handbag
    purse, ladies' handbag, hand bag, shoulder bag, woman's purse
    a small bag with handles and a clasp
suitcase
    travel case, rolling suitcase, trolley case, carry-on suitcase, wheeled travel case
    a hard case with wheels and a pull-out handle
wallet
    billfold, card holder, leather wallet, money wallet, wallet for cards
    a folded case for cards and notes
tote bag
    shopping bag, canvas bag, cloth shopper
    a plain cloth bag with two long handles
""",
    "electronics": """
laptop
    notebook computer, laptop computer, portable computer, notebook pc, portable pc
    a wide screen hinged to a keyboard
smartphone
    mobile phone, cell phone, phone, cellphone, touchscreen phone, mobile telephone
    a tall narrow touch screen with app icons
e-reader
    ebook reader, e-book reader, electronic book reader, e-ink reader, digital book reader
    a grey page of text in a broad frame
headphones
    headset, earphones, over-ear headphones, pair of headphones, stereo headset
    two ear cups on a headband
camera
    digital camera, photo camera, compact camera, photographic camera
    a body with a large round lens
television
    tv, tv set, flat screen tv, flat screen television
    a very wide screen on a stand
keyboard
    computer keyboard, pc keyboard, typing keyboard, keyboard for a computer
    many rows of keys on a long board
computer mouse
    mouse, pc mouse, wireless mouse, optical mouse, mouse for a computer
    a rounded pointer with two buttons and a wheel
game controller
    gamepad, joypad, video game controller, game pad, controller for video games
    two grips with sticks and coloured buttons
loudspeaker
    speaker, audio speaker, stereo speaker, hi-fi speaker, music speaker
    a tall box with two round cones
tablet
    tablet computer, tablet pc, touchscreen tablet
    a large flat touch screen with app icons
""",
    "kitchenware": """
mug
    cup, coffee cup, coffee mug, tea cup, mug with a handle
    an open cylinder with one handle
wine glass
    goblet, stemmed glass, glass for wine, stem glass
    a glass bowl on a stem and a foot
bottle
    water bottle, flask, drinking bottle, bottle with a cap
    a tall body with a narrow neck and a cap
teapot
    tea pot, china teapot, tea kettle, pot for tea
    a round pot with a spout, a lid and a handle
frying pan
    skillet, fry pan, pan, cooking pan, pan for frying
    a flat round pan with one long handle
cooking pot
    saucepan, stockpot, pot, stew pot, pot with a lid, large saucepan
    a deep vessel with a lid and two side handles
fork
    dinner fork, table fork, salad fork, eating fork
    four metal tines on a handle
kitchen knife
    knife, chef's knife, cook's knife, knife for cooking
    a broad metal blade on a handle
bowl
    soup bowl, cereal bowl, salad bowl, serving bowl
    a wide open round dish on a foot
jug
    pitcher, water jug, milk jug
    a tall vessel with a lip and a handle
chopping board
    cutting board, bread board, carving board
    a flat board with a hole in its grip
""",
    "furniture": """
chair
    dining chair, kitchen chair, wooden chair, chair with a backrest
    a seat on four legs with a backrest
table
    dining table, desk, kitchen table, dinner table
    a wide flat top on four legs
sofa
    couch, settee, loveseat, upholstered sofa, upholstered couch
    a wide cushioned seat with two armrests
bed
    double bed, bedstead, single bed, bed with a headboard, sleeping bed
    a mattress with a headboard, pillow and blanket
bookcase
    bookshelf, book shelf, shelving unit, shelf full of books, shelf for books
    shelves full of books
wardrobe
    closet, clothes cupboard, armoire, cupboard for clothes, clothes closet
    a tall cupboard with two doors
stool
    bar stool, footstool, seat without a back
    a round seat on legs without a backrest
""",
    "home decor": """
lamp
    table lamp, desk lamp, bedside lamp, lamp with a shade, bedside light
    a lampshade on a short foot
cushion
    pillow, throw pillow, sofa cushion, scatter cushion, decorative cushion
    a soft square filled with down
vase
    flower vase, ceramic vase, porcelain vase, vase for flowers
    a curved vessel with a narrow neck
candle
    wax candle, scented candle, pillar candle, burning candle
    a wax cylinder with a wick and a flame
clock
    wall clock, round clock, analog clock, clock for the wall
    a round dial with hands and hour marks
potted plant
    houseplant, pot plant, house plant, indoor plant, plant in a pot
    green leaves growing from a pot
mirror
    looking glass, vanity mirror, standing mirror, dressing mirror
    an oval of shining glass in a frame
watering can
    sprinkling can, garden watering can, can for watering plants, plant watering can
    a can with a long spout and a handle
floor lamp
    standing lamp, standard lamp, tall lamp
    a lampshade on a tall thin pole
""",
    "stationery": """
book
    novel, hardcover book, paperback, hardback book, paperback book
    a bound cover with pages
pencil
    lead pencil, drawing pencil, crayon, wooden pencil, pencil for drawing
    a long wooden stick with a sharp tip
scissors
    shears, pair of scissors, paper scissors, paper shears, craft scissors
    two crossed blades with finger rings
""",
    "tool": """
hammer
    claw hammer, nail hammer, mallet, hammer for nails
    a steel head across a handle
screwdriver
    flathead screwdriver, screw driver, slotted screwdriver, driver for screws
    a thick handle with a thin metal shaft
""",
    "sporting goods": """
football
    soccer ball, ball, match ball, ball for soccer
    a round ball of patches
bicycle
    bike, cycle, road bike, city bike, pedal bike
    two spoked wheels in a frame with pedals
skateboard
    skate board, longboard, board with wheels, skating board
    a board with turned-up ends on four wheels
dumbbell
    hand weight, free weight, gym weight, weight for lifting
    heavy weights at both ends of a short bar
tennis racket
    racket, racquet, tennis racquet, racket with strings
    an oval of strings on a grip
""",
    "toy": """
teddy bear
    stuffed bear, plush bear, teddy, cuddly bear, plush teddy
    a soft bear with round ears
toy car
    car, model car, miniature car, model automobile, toy automobile
    a small car with wheels and windows
kite
    flying kite, diamond kite, toy kite, kite with a tail
    a diamond of cloth with a tail of bows
""",
    "musical instrument": """
guitar
    acoustic guitar, classical guitar, folk guitar, six-string guitar
    a waisted wooden body with a sound hole and a neck
drum
    snare drum, marching drum, hand drum
    a cylinder with a skin, beaten with two sticks
""",
}
"""By category, three lines a product: its name, its synonyms, its parts in a phrase."""
