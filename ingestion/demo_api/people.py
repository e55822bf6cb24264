"""Names for customers; a rename keeps the first name and moves on to another last one."""

import numpy as np
import polars as pl

from ingestion.demo_api.draw import Ints, Use, bits

# Accents and apostrophes are here on purpose: a loader that mangles them should be caught early.
_FIRST = """
Ada Aisha Alan Amélie Ana Anders Anya Arjun Beatriz Ben Björn Carla Carlos Chloé Clara Dmitri
Ede Elif Emeka Erin Esra Eva Fatima Felix Finn Gita Grace Hana Henry Hugo Ines Ivan Jade Jamal
Jens José Juno Kai Karin Kofi Lars Leila Liam Lucía Maeve Mateo Mei Mila Nadia Ngozi Nils Noor
Olga Omar Priya Quinn Rafael Rosa Samir Siobhán Tariq Uma Viktor Wei Yara Zoë
"""
_LAST = """
Abbott Adeyemi Almeida Andersson Baker Banerjee Bauer Bianchi Brown Castillo Chen Costa D'Angelo
Dubois Eriksen Evans Fernández Fischer Garcia Gonzalez Haddad Hansen Hughes Ibrahim Ivanova
Jansen Jones Kaya Kelly Khan Kim Kowalski Larsen Lefèvre Lopez Martin Mbeki Meyer Morales Muñoz
Nakamura Nguyen Novak O'Brien Okafor Olsen Patel Pereira Petrov Popescu Rossi Santos Schäfer
Silva Singh Smith Sørensen Suzuki Tanaka Taylor Varga Weber Wilson Wójcik Yang
"""
FIRST, LAST = _FIRST.split(), _LAST.split()


def names(seed: int, customers: Ints, renamed: Ints) -> pl.Series:
    """Return "First Last" for each customer number, `renamed` times moved on from the first."""
    first = bits(seed, Use.FIRST_NAME, customers) % np.uint64(len(FIRST))
    last = bits(seed, Use.LAST_NAME, customers) % np.uint64(len(LAST))
    moved = (last.astype(np.int64) + renamed) % len(LAST)
    return pl.Series(FIRST).gather(first) + " " + pl.Series(LAST).gather(moved)
