"""The shop: orders are placed and paid at its checkout, read through a Shopify-shaped API, told of by webhooks."""
