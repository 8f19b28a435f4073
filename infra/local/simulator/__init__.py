"""The outside world of the local stack: payment provider, shop, warehouse and mailbox in one process."""
