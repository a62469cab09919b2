"""``python -m transfer import|export``: the containers of these names run it."""

from transfer.commands import transfer

transfer()
