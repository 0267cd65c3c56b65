"""Everything that only the generate process imports (heavy: torch)."""
