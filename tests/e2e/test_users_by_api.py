"""A user registers and confirms the address."""

import re
import uuid

from infra.local.story.world import until
from tests.e2e.scene import Scene


async def mailed_token(scene: Scene, address: str) -> str:
    """Wait for the confirmation mail and return its token."""
    mails: list[dict[str, str]] = []

    async def mailed() -> bool:
        mails[:] = (await scene.world.control("GET", f"/mail?to={address}"))["data"]
        return bool(mails)

    await until("the confirmation mail", mailed, 60)
    token = re.search(r"^([A-Za-z0-9_-]{40,})\s*$", mails[-1]["text"], re.MULTILINE)
    assert token is not None, mails[-1]["text"]
    return token.group(1)


async def test_only_the_mailed_token_confirms(scene: Scene) -> None:
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    address = f"{user_id}@shop.example"
    document = {"user_id": user_id, "email": address}
    answers = [await scene.post("/users", document) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 200]
    assert (await scene.taken("/users", document | {"email": "other@shop.example"})).status == 409
    token = await mailed_token(scene, address)
    path = f"/users/{user_id}/confirm"
    wrong = await scene.post(path, {"token": token[:-1] + ("x" if token[-1] != "x" else "y")}, headers={})
    assert (wrong.status, "state" in wrong.body) == (422, False)
    assert scene.transact(lambda tx: tx.users.get(user_id)).state == "pending"
    right = await scene.post(path, {"token": token}, headers={})
    assert (right.status, right.body) == (200, {"user_id": user_id, "state": "active"})
    again = await scene.post(path, {"token": token}, headers={})
    assert (again.status, again.body) == (200, right.body), "the same click twice"
    stranger = await scene.post("/users/nobody-here/confirm", {"token": token}, headers={})
    assert stranger.status == 404
    assert token not in str(answers) + str(wrong) + str(right)
    assert len((await scene.world.control("GET", f"/mail?to={address}"))["data"]) == 1


async def test_a_mail_server_that_is_busy_gets_the_mail_later(scene: Scene) -> None:
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    await scene.world.control("PUT", "/mail", {"refuse": 2})
    assert (await scene.taken("/users", {"user_id": user_id, "email": f"{user_id}@shop.example"})).status in {200, 202}
    token = await mailed_token(scene, f"{user_id}@shop.example")
    assert (await scene.post(f"/users/{user_id}/confirm", {"token": token}, headers={})).status == 200
