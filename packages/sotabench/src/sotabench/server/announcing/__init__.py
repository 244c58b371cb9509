"""What the site says elsewhere: to git hosts how builds stand, to owners what got worse."""
