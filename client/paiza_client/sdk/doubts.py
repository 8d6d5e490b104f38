"""What is probably a slip in a message, for its author to confirm before it is sent; the node is not asked."""

from paiza_client.language import language
from paiza_client.local import reference_data
from paiza_client.sdk.drafts import Prepared
from paiza_domain import reference
from paiza_domain.drafts.content import position
from paiza_domain.schema.field_errors import FieldError
from paiza_officer.profiles import Profile


def find(profile: Profile, prepared: Prepared) -> tuple[FieldError, ...]:
    """Return the warnings of a message as `paiza_domain.reference.doubts`, with their lines, by the last register.

    Without a register there are none. Each is told in the language in use (`FieldError.message`).
    """
    register = reference_data.last_register(profile)
    if register is None:
        return ()
    data = reference_data.of(register)
    found = reference.doubts(prepared.content, data.reference, data.index, language())
    return tuple(each.at(*position(each.path, prepared.places)) for each in found)
