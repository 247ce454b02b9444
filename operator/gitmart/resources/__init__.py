"""What users write: typed models of Repository and DbtSchedule. The files in crds/ are generated from them."""
