"""The engine: a pure function of records and frames. No clock, thread, file, driver or logging in here."""
