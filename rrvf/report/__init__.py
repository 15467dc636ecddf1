"""Reports: tables with intervals beside the paper's values, claims, the audit, figures, the sample browser."""
