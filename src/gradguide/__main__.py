"""Run ``python -m gradguide train.py``."""

from gradguide._watch.command import main

if __name__ == "__main__":
    main()
