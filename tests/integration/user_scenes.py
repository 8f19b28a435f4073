"""The scenes of what is done for users: registering, confirming, another address."""

import hashlib
from dataclasses import replace

from tests.integration.activity_scenes import scene
from tests.integration.scene import Scene
from worker.activities.addresses import AddressConfirmation, OneChange
from worker.activities.users import Confirmation, Mailing
from worker.contract.users import ChangeAddress, RegisterUser


@scene("register_user")
async def _(world: Scene) -> object:
    return _registration(world)


@scene("mail_confirmation")
async def _(world: Scene) -> object:
    world.activity("register_user")(_registration(world))
    return Mailing(user_id=world.name, number=1)


@scene("confirm_user")
async def _(world: Scene) -> object:
    world.activity("register_user")(_registration(world))
    digest = _mailed(world, "mail_confirmation", Mailing(user_id=world.name, number=1))
    return Confirmation(user_id=world.name, token_sha256=digest)


@scene("expire_user")
async def _(world: Scene) -> object:
    world.activity("register_user")(_registration(world))
    return world.name


@scene("begin_address_change")
async def _(world: Scene) -> object:
    await _active(world)
    world.activity("begin_address_change")(replace(_change(world), change_id="before"))
    return _change(world)


@scene("begin_address_change", "refused")
async def _(world: Scene) -> object:
    return _change(world)


@scene("mail_address_token")
async def _(world: Scene) -> object:
    return await _asked(world)


@scene("confirm_address")
async def _(world: Scene) -> object:
    change = await _asked(world)
    return AddressConfirmation(
        user_id=world.name, change_id=change.change_id, token_sha256=_mailed(world, "mail_address_token", change)
    )


@scene("tell_old_address")
async def _(world: Scene) -> object:
    change = await _asked(world)
    digest = _mailed(world, "mail_address_token", change)
    confirmation = AddressConfirmation(user_id=world.name, change_id=change.change_id, token_sha256=digest)
    world.activity("confirm_address")(confirmation)
    return change


@scene("expire_address_change")
async def _(world: Scene) -> object:
    return await _asked(world)


def _registration(world: Scene) -> RegisterUser:
    return RegisterUser(user_id=world.name, email=world.email, registered_at=world.office.clock.now().isoformat())


def _mailed(world: Scene, activity: str, argument: object) -> str:
    """Have a token mailed; return its digest."""
    world.activity(activity)(argument)
    return hashlib.sha256(world.mails()[-1]["text"].split()[-1].encode()).hexdigest()


async def _active(world: Scene) -> None:
    world.activity("register_user")(_registration(world))
    digest = _mailed(world, "mail_confirmation", Mailing(user_id=world.name, number=1))
    assert world.activity("confirm_user")(Confirmation(user_id=world.name, token_sha256=digest))


def _change(world: Scene) -> ChangeAddress:
    """Return the wish for another address; it is the same one, so that every mail lies in one box."""
    now = world.office.clock.now().isoformat()
    return ChangeAddress(user_id=world.name, change_id="c1", email=world.email, asked_at=now)


async def _asked(world: Scene) -> OneChange:
    await _active(world)
    world.activity("begin_address_change")(_change(world))
    return OneChange(user_id=world.name, change_id="c1")
