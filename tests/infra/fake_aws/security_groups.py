"""A rule between two groups: moto loses its description and every plan writes it again."""

from moto.ec2.models.security_groups import SecurityGroupRule


def apply() -> None:
    """Take the description from wherever the rule keeps its peer."""
    SecurityGroupRule.description = property(
        lambda self: self.ip_range.get("Description") or (self.source_group or {}).get("Description")
    )
