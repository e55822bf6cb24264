"""What a column's name says of it: an id, a moment of change, a measure, something of a person."""

import re

ID = re.compile(r"(id|uuid|guid|key|code|sku|slug|rowid|isbn|iban|number|no|nr|ref|objectid)")
LIKELY_ID = re.compile(rf"(?:^|.*_){ID.pattern}$")
PART_OF_KEY = re.compile(  # may be one of two columns that make a key
    rf"(?:^|.*_)(?:{ID.pattern}|date|day|time|timestamp|month|year|period|index|idx|line|position"
    r"|seq|sequence|version|lang|locale|country|currency|type|name)$"
)
CHANGED = re.compile(
    r"(?:^|.*_)(updated|modified|changed|edited|lastmod|last_update|last_updated|last_modified"
    r"|last_changed)(?:_(at|on|date|time|ts|timestamp|utc|datetime))?$"
    r"|^(date|time|ts)_(updated|modified|changed)$|^(modification|update)_(date|time)$"
)
# what is counted in whole numbers today may have a fraction tomorrow
MEASURE = re.compile(
    r"(?:^|.*_)(price|amount|total|subtotal|cost|tax|fee|fare|tip|rate|ratio|percent|percentage"
    r"|share|score|rating|weight|height|width|length|distance|lat|latitude|lon|lng|longitude"
    r"|temperature|balance|salary|average|avg|mean|discount|surcharge|tolls|value)"
    r"(?:_(usd|eur|gbp|pct|amount))?$"
)
MONEY = re.compile(
    r"(?:^|.*_)(price|amount|total|subtotal|cost|tax|fee|fare|tip|balance|salary|discount"
    r"|surcharge|tolls|revenue|payment)(?:_(usd|eur|gbp|amount))?$"
)
PERSONAL = re.compile(
    r"(?:^|.*_)(e_?mail(_address)?|phone(_number)?|telephone|tel|mobile|cell|fax|first_?name"
    r"|last_?name|full_?name|middle_?name|given_?name|family_?name|surname|maiden_?name|nickname"
    r"|user_?name|login|address(_line)?(_?\d)?|street|house_?number|birth_?(date|day)|date_of_birth|dob"
    r"|ssn|social_security(_number)?|passport(_number)?|tax_id|iban|credit_?card|card_number"
    r"|ip(_address)?|avatar(_url)?|password|gender|ethnicity|religion)$"
)
PEOPLE = re.compile(
    r"(?:^|.*_)(customer|user|people|person|patient|employee|contact|member|author|staff|client"
    r"|student|teacher|owner|subscriber|guest|player|lead|driver|passenger|visitor)s?$"
)
OF_A_PERSON = re.compile(
    r"(?:^|.*_)(?:(customer|user|person|patient|employee|contact|member|owner|author|client|driver"
    r"|ship|billing|contact)_*)name$"
)


def personal(table: str, column: str) -> bool:
    """Whether the column looks like something of a person; the name of a product does not."""
    if PERSONAL.match(column) or OF_A_PERSON.match(column):
        return True
    return column == "name" and PEOPLE.match(table) is not None


def singular(word: str) -> str:
    """The word for one of them, as far as a rule of thumb goes."""
    for plural, one in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(plural):
            return word.removesuffix(plural) + one
    return word.removesuffix("s") if not word.endswith(("ss", "us", "is")) else word
