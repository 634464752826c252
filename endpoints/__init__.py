"""The one client of OpenAI-compatible servers: what is asked, how often it is tried, and a ledger of every answer."""
