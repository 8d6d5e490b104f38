"""``python -m paiza_officer.agent FOLDER SECONDS``: what `start` runs."""

import sys
from pathlib import Path

from paiza_officer.agent.process import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
