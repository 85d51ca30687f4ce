"""Keys: made once, wrapped by the master key, and useless without it."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, transaction

from procurement.vault import Context, KeyUnavailable, Purpose, SealBroken, fingerprints, keyring, open_sealed, seal
from procurement.vault.models import CryptoKey

PLACE = Context("code", "sealed", "row-1")
OTHER_KEY = base64.b64encode(b"another-master-key-of-32-bytes!!").decode()


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    keyring.forget()


@pytest.mark.django_db
def test_first_use_makes_one_key_for_each_purpose() -> None:
    seal("a", purpose=Purpose.CODE, context=PLACE)
    seal("b", purpose="code", context=PLACE)
    seal("c", purpose=Purpose.WEBHOOK, context=PLACE)
    assert sorted(CryptoKey.objects.values_list("purpose", "version")) == [("code", 1), ("webhook", 1)]


@pytest.mark.django_db
def test_stored_keys_hold_no_key_in_clear() -> None:
    seal("a", purpose=Purpose.CODE, context=PLACE)
    row = CryptoKey.objects.get()
    _key_id, dek = keyring.active_key(Purpose.CODE)
    assert dek not in bytes(row.wrapped_dek)
    assert len(bytes(row.wrapped_dek)) == 12 + 32 + 16


@pytest.mark.django_db
def test_value_of_one_purpose_does_not_open_for_another() -> None:
    blob = seal("a", purpose=Purpose.CODE, context=PLACE)
    seal("b", purpose=Purpose.WEBHOOK, context=PLACE)
    for cached in (True, False):
        if not cached:
            keyring.forget()
        with pytest.raises(SealBroken):
            open_sealed(blob, purpose=Purpose.WEBHOOK, context=PLACE)


@pytest.mark.django_db
def test_another_master_key_opens_nothing_and_says_so(settings: Any) -> None:
    blob = seal("TST0-CANA-RY99", purpose=Purpose.CODE, context=PLACE)
    settings.MASTER_KEY = OTHER_KEY
    with pytest.raises(KeyUnavailable, match="not the one") as caught:
        open_sealed(blob, purpose=Purpose.CODE, context=PLACE)
    assert "CANA" not in str(caught.value)
    with pytest.raises(KeyUnavailable):
        seal("x", purpose=Purpose.CODE, context=PLACE)
    assert CryptoKey.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "not base64 !", base64.b64encode(b"short").decode()])
def test_missing_or_malformed_master_key_makes_no_key(settings: Any, text: str) -> None:
    settings.MASTER_KEY = text
    with pytest.raises(KeyUnavailable):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    assert not CryptoKey.objects.exists()


@pytest.mark.django_db
def test_start_up_check_refuses_a_wrong_master_key(settings: Any) -> None:
    call_command("check", databases=["default"])
    seal("a", purpose=Purpose.CODE, context=PLACE)
    call_command("check", databases=["default"])
    settings.MASTER_KEY = OTHER_KEY
    with pytest.raises(SystemCheckError, match=r"vault\.E001"):
        call_command("check", databases=["default"])


@pytest.mark.django_db
def test_master_key_file_must_be_private(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.write_text(settings.MASTER_KEY + "\n")
    settings.MASTER_KEY, settings.MASTER_KEY_FILE = "", str(file)
    for mode in (0o640, 0o604, 0o644):
        os.chmod(file, mode)
        with pytest.raises(KeyUnavailable, match="read by others"):
            seal("a", purpose=Purpose.CODE, context=PLACE)
    os.chmod(file, 0o600)
    blob = seal("a", purpose=Purpose.CODE, context=PLACE)
    assert open_sealed(blob, purpose=Purpose.CODE, context=PLACE).expose() == "a"


@pytest.mark.django_db
def test_changed_key_row_does_not_open(settings: Any) -> None:
    blob = seal("a", purpose=Purpose.CODE, context=PLACE)
    row = CryptoKey.objects.get()
    wrapped = bytearray(row.wrapped_dek)
    wrapped[20] ^= 1
    CryptoKey.objects.update(wrapped_dek=bytes(wrapped))
    with pytest.raises(SealBroken):
        open_sealed(blob, purpose=Purpose.CODE, context=PLACE)


@pytest.mark.django_db
def test_destroyed_key_opens_nothing() -> None:
    blob = seal("a", purpose=Purpose.CODE, context=PLACE)
    keyring.forget()
    keyring.destroy([CryptoKey.objects.get().pk])
    with pytest.raises(SealBroken, match="its key was destroyed"):
        open_sealed(blob, purpose=Purpose.CODE, context=PLACE)


@pytest.mark.django_db(transaction=True)
def test_key_of_a_rolled_back_transaction_is_not_remembered() -> None:
    with transaction.atomic():
        seal("a", purpose=Purpose.CODE, context=PLACE)
        transaction.set_rollback(True)
    assert not CryptoKey.objects.exists()
    blob = seal("b", purpose=Purpose.CODE, context=PLACE)
    keyring.forget()
    assert open_sealed(blob, purpose=Purpose.CODE, context=PLACE).expose() == "b"


@pytest.mark.django_db(transaction=True)
def test_many_threads_that_meet_a_new_purpose_end_with_one_key() -> None:
    barrier, blobs, errors = threading.Barrier(6), [], []

    def work() -> None:
        try:
            barrier.wait()
            blobs.append(seal("same", purpose=Purpose.EVIDENCE, context=PLACE))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert CryptoKey.objects.filter(purpose="evidence").count() == 1
    keyring.forget()
    assert {open_sealed(blob, purpose=Purpose.EVIDENCE, context=PLACE).expose() for blob in blobs} == {"same"}


@pytest.mark.django_db
def test_fingerprint_is_keyed_and_stable_across_processes() -> None:
    [first] = fingerprints(["TST0-ABCD-1234"])
    keyring.forget()
    assert fingerprints(["TST0-ABCD-1234"]) == [first]
    assert (len(first.fingerprint), first.fingerprint_before) == (32, None)
    CryptoKey.objects.all().delete()
    keyring.forget()
    assert fingerprints(["TST0-ABCD-1234"]) != [first]
