"""The commands of `antiphon`, one file per noun."""
