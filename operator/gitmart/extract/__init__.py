"""git → records → warehouse: one run brings one repository's rows to what its history is now."""
