"""`python -m infra.observability`: writes RUNBOOK.md anew from the alert rules."""

from infra.observability.runbook import RUNBOOK, rendered

if __name__ == "__main__":
    RUNBOOK.write_text(rendered(), "utf-8")
