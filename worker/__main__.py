"""`python -m worker` is the `orders` command."""

from worker.cli.main import run

if __name__ == "__main__":
    run()
