"""Files: requests, catalogs, plans, accounts and reports as TOML, JSON and CSV (DESIGN.md section 10)."""
