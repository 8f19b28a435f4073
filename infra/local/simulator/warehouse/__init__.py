"""The warehouse: takes fulfilment requests, ships after a while, and tells of it by Standard Webhooks."""
