"""What the shop sells, what it is made of, and where it is sold: the jaffle shop's own lists."""

from typing import NamedTuple


class Product(NamedTuple):
    """A thing on the menu; `price` in cents, `supplies` the ids of what goes into it."""

    sku: str
    name: str
    type: str
    price: int
    description: str
    supplies: tuple[str, ...]


class Supply(NamedTuple):
    """A thing the shop buys; `cost` in cents on the first day."""

    name: str
    cost: int
    perishable: bool


class Store(NamedTuple):
    """A place; `opens` counts days from the first, `pull` weighs its share of the trade."""

    name: str
    opens: int
    tax_rate: str
    pull: float


_PLATE = ("SUP-001", "SUP-002", "SUP-003", "SUP-004", "SUP-009")
_TOASTED = (*_PLATE, "SUP-010")
_CUP = ("SUP-005", "SUP-006", "SUP-007")

PRODUCTS = (
    Product("JAF-001", "nutellaphone who dis?", "jaffle", 1100,
            "nutella and banana jaffle", (*_PLATE, "SUP-011", "SUP-012")),
    Product("JAF-002", "doctor stew", "jaffle", 1100,
            "house-made beef stew jaffle", (*_TOASTED, "SUP-013")),
    Product("JAF-003", "the krautback", "jaffle", 1200,
            "lamb and pork bratwurst with house-pickled cabbage sauerkraut and mustard",
            (*_TOASTED, "SUP-014", "SUP-015", "SUP-016")),
    Product("JAF-004", "flame impala", "jaffle", 1400,
            "pulled pork and pineapple al pastor marinated in ghost pepper sauce",
            (*_TOASTED, "SUP-017", "SUP-018", "SUP-021")),
    Product("JAF-005", "mel-bun", "jaffle", 1200,
            "melon and minced beef bao, in a jaffle, savory and sweet",
            (*_TOASTED, "SUP-019", "SUP-020")),
    Product("BEV-001", "tangaroo", "beverage", 600,
            "mango and tangerine smoothie", (*_CUP, "SUP-022", "SUP-023")),
    Product("BEV-002", "chai and mighty", "beverage", 500,
            "oatmilk chai latte with protein boost", (*_CUP, "SUP-008", "SUP-024", "SUP-025")),
    Product("BEV-003", "vanilla ice", "beverage", 600,
            "iced coffee with house-made french vanilla syrup", (*_CUP, "SUP-026", "SUP-027")),
    Product("BEV-004", "for richer or pourover", "beverage", 700,
            "daily selection of single estate beans for a delicious hot pourover",
            (*_CUP, "SUP-026")),
    Product("BEV-005", "adele-ade", "beverage", 400,
            "a kiwi and lime agua fresca, hello from the other side of thirst",
            (*_CUP, "SUP-028", "SUP-029")),
)  # fmt: skip

SUPPLIES = {
    "SUP-001": Supply("compostable cutlery - knife", 7, False),
    "SUP-002": Supply("cutlery - fork", 7, False),
    "SUP-003": Supply("serving boat", 11, False),
    "SUP-004": Supply("napkin", 4, False),
    "SUP-005": Supply("16oz compostable clear cup", 13, False),
    "SUP-006": Supply("16oz compostable clear lid", 4, False),
    "SUP-007": Supply("biodegradable straw", 13, False),
    "SUP-008": Supply("chai mix", 98, True),
    "SUP-009": Supply("bread", 33, True),
    "SUP-010": Supply("cheese", 20, True),
    "SUP-011": Supply("nutella", 46, True),
    "SUP-012": Supply("banana", 13, True),
    "SUP-013": Supply("beef stew", 169, True),
    "SUP-014": Supply("lamb and pork bratwurst", 234, True),
    "SUP-015": Supply("house-pickled cabbage sauerkraut", 43, True),
    "SUP-016": Supply("mustard", 7, True),
    "SUP-017": Supply("pulled pork", 215, True),
    "SUP-018": Supply("pineapple", 26, True),
    "SUP-019": Supply("melon", 33, True),
    "SUP-020": Supply("minced beef", 124, True),
    "SUP-021": Supply("ghost pepper sauce", 20, True),
    "SUP-022": Supply("mango", 32, True),
    "SUP-023": Supply("tangerine", 20, True),
    "SUP-024": Supply("oatmilk", 11, True),
    "SUP-025": Supply("whey protein", 36, True),
    "SUP-026": Supply("coffee", 52, True),
    "SUP-027": Supply("french vanilla syrup", 72, True),
    "SUP-028": Supply("kiwi", 20, True),
    "SUP-029": Supply("lime", 13, True),
}

STORES = (
    Store("Philadelphia", 0, "0.06", 1.0),
    Store("Brooklyn", 45, "0.04", 1.3),
    Store("Chicago", 100, "0.0625", 0.9),
    Store("San Francisco", 160, "0.075", 1.1),
    Store("New Orleans", 225, "0.04", 0.6),
    Store("Los Angeles", 300, "0.08", 1.2),
)

# How often each product is asked for, in the order of PRODUCTS: mornings are for drinks.
SHARE_OF_ITEMS = (5, 4, 5, 6, 5, 14, 16, 17, 15, 13)
