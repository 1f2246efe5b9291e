from .workers import remember_depth

remember_depth()
