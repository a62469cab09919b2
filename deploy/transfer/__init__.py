"""Imports and exports of the whole system: accounts and news by one command, with one report."""
