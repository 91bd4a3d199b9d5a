# SPDX-License-Identifier: MIT
"""One module for each kind of map: how to recognise it, and its header.

A flavour offers

    NAME
    present(session)                        -> is there such a runtime in the program?
    from_variable(session, variable)        -> MapView, or None: not of this flavour
    from_address(session, address, type)    -> MapView, or None: nothing of this flavour there
    from_frame(session, frame)              -> MapView, or None: no map operation's frame
    evacuated_bucket(session, frame, view)  -> the old bucket that evacuate's frame is moving
    enumerate_maps(session)                   -> (name, MapView) of all maps it can list

where None means "not mine" and a MapscopeError "mine, and it cannot be read".
"""
