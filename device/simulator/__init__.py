"""Desktop mode: the panel as a web page, served on this computer only."""
