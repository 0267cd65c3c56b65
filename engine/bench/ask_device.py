"""A process that prints which accelerator the engine would choose, or nothing where that is a CPU."""

from __future__ import annotations

from ...models.devices import choose_device

if __name__ == "__main__":
    choice = choose_device()
    if choice.device.type != "cpu":
        print(choice.name)
