"""Everything that only the train process imports (heavy: torch)."""
