"""What only a GPU can show: `benchmarks gpu-check`, its parts, and the processes that measure them."""
