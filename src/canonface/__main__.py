"""``python -m canonface``."""

from canonface.cli.main import main

if __name__ == "__main__":
    main()
