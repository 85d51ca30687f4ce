"""`python -m procurement.demo.watchdog <demo's pid> <child pids>`: used where a child cannot ask the kernel for it."""

import sys

from procurement.demo.processes import watch

if __name__ == "__main__":
    watch(int(sys.argv[1]), [int(pid) for pid in sys.argv[2:]])
