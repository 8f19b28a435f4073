"""The simulated payment provider: Stripe-shaped API, books, payouts and webhooks."""
