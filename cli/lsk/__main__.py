"""`python -m lsk`, where the folder of scripts is not on the PATH."""

from lsk.main import main

if __name__ == "__main__":
    main()
