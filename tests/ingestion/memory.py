"""A process that loads once and prints the most memory it held. Not a test itself.

Arguments: dlt's folder, the base URL, the database URL.
"""

import resource
import sys
from pathlib import Path

from ingestion.load import load

if __name__ == "__main__":
    work, base_url, credentials = sys.argv[1:]
    record = load("jaffle_shop", credentials, Path(work), base_url=base_url)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(record.loaded["orders"], kilobytes // 1024)
