"""Every number in the documentation comes from here: ``python -m bench`` prints them beside what they are compared to."""
