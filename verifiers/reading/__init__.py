"""What an answer says: its own words without reasoning, quotation and echo, and what it commits itself to."""
