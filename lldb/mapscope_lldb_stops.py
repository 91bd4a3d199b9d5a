from mapscope.stops.stop import Stops
class H: pass
_S={}
def stops_of(d): return _S.setdefault(d.GetID(), Stops(H()))
