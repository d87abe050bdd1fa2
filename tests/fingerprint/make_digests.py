"""Write the fingerprints that canonface 0.1.0 gives to ``user_objects``, into ``digests_0_1_0.json``.

Run it with 0.1.0, once from a checkout that is not installed and once with an interpreter into which it is installed:

    PYTHONPATH=CHECKOUT_OF_0.1.0/src python tests/fingerprint/make_digests.py
    python tests/fingerprint/make_digests.py
"""

import json
from pathlib import Path

import user_objects

import canonface
from canonface.fingerprint import object_fingerprint
from canonface.fingerprint.sources import is_installed

FILE = Path(__file__).with_name("digests_0_1_0.json")


def main():
    assert canonface.__version__ == "0.1.0", canonface.__version__
    how = "installed" if is_installed(canonface.CanonfaceError) else "checkout"
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    stored[how] = {
        kind: {name: object_fingerprint(value) for name, value in getattr(user_objects, kind).items()}
        for kind in ("WITHOUT_OURS", "WITH_OURS")
    }
    FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(how)


if __name__ == "__main__":
    main()
