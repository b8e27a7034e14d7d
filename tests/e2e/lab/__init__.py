"""The real, unmodified signal-cli against a stand-in for Signal's servers, all on this machine.

Start reading at `laboratory.py`, which puts the parts together:

==============  =======================================================================================================
program         `distribution.py` gets signal-cli 0.13.19 and a Java runtime; `elf.py` slims its native library
overlay         `overlay.py` writes the few class-path files that send it to our servers: `classfile.py`, `tls.py`
servers         `server/` is Signal as a client sees it, one topic a file; `control.py` is the lever tests pull
people          `datafolder.py` writes registered accounts; `daemon.py` runs signal-cli; `person.py` is one of them with a
                phone: sends, scans, re-registers
==============  =======================================================================================================

Release 0.13.19 is the last one whose whole traffic goes through Java's own HTTP stack and can be led here without changing a byte of
it. signal-cli and libsignal are GPL and AGPL: tests download them, nothing of them is kept in this repository.

What cannot be played here: finding a person by number (that needs Signal's attested enclave; address people by ACI), PINs (the same)
and finishing a change of number.
"""
